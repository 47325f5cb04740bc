//! The storage section: what its lists must not do to each other, then each entry.

use std::collections::{HashMap, HashSet};
use std::path::Path as FsPath;

use super::{Place, Rules};
use crate::files_dir::clean;
use crate::value::Object;

/// No path of more bytes can be opened (`PATH_MAX`, path_resolution(7)).
const LONGEST_PATH: usize = 4096;

impl Rules {
    pub(super) fn storage(&mut self, storage: &Object, place: &Place<'_>) {
        self.links_in_paths(storage, place);
        self.overwritten_disks(storage, place);
        type Check = fn(&mut Rules, &Object, &Place<'_>);
        let lists: [(&'static str, Check); 7] = [
            ("directories", Self::directory),
            ("disks", Self::disk),
            ("files", Self::file),
            ("filesystems", Self::filesystem),
            ("links", Self::link),
            ("luks", Self::luks),
            ("raid", Self::raid),
        ];
        for (key, check) in lists {
            let list = place.below(storage, key);
            for (n, value, entry) in storage.objects(key) {
                check(self, entry, &list.item(n, value));
            }
        }
    }

    /// Reports nodes below a configured link: whether they end up behind it depends on luck.
    fn links_in_paths(&mut self, storage: &Object, place: &Place<'_>) {
        let links: HashSet<&str> =
            storage.objects("links").filter_map(|(_, _, link)| link.text("path")).collect();
        let directories: HashSet<&str> =
            storage.objects("directories").filter_map(|(_, _, dir)| dir.text("path")).collect();
        let kinds = [("directories", "directory"), ("files", "file"), ("links", "link")];
        for (key, word) in kinds {
            let list = place.below(storage, key);
            for (n, value, node) in storage.objects(key) {
                let path = node.text("path").unwrap_or_default();
                let ends = path.match_indices('/').map(|(end, _)| end);
                let above = ends.take_while(|end| *end <= LONGEST_PATH).map(|end| &path[..end]);
                for _ in above.filter(|above| links.contains(above)) {
                    let message = format!("{word} path includes link in config");
                    self.error(&list.item(n, value), message);
                }
                if key == "links" {
                    self.link_target(node, &list.item(n, value), &directories);
                }
            }
        }
    }

    fn link_target(&mut self, link: &Object, place: &Place<'_>, directories: &HashSet<&str>) {
        let target = match link.filled("target") {
            Some(target) => target,
            None if self.since(3) => {
                return self.error(&place.below(link, "target"), "link target is required");
            }
            None => "",
        };
        if link.flag("hard") != Some(true) {
            return;
        }
        let path = link.text("path").unwrap_or_default();
        // Joining an absolute target gives the target.
        let target = clean(&FsPath::new(path).join(target));
        if target.to_str().is_some_and(|target| directories.contains(target)) {
            self.error(place, "hard link target is a directory");
        }
        for key in ["user", "group"] {
            let Some(owner) = link.object(key) else { continue };
            for field in ["id", "name"] {
                if owner.get(field).is_some() {
                    let place = place.below(link, key).below(owner, field);
                    self.warning(&place, "user/group ignored for hard link");
                }
            }
        }
    }

    fn overwritten_disks(&mut self, storage: &Object, place: &Place<'_>) {
        let disks: HashMap<&str, &Object> = storage
            .objects("disks")
            .filter_map(|(_, _, disk)| Some((disk.text("device")?, disk)))
            .collect();
        for (n, value, filesystem) in storage.objects("filesystems") {
            let device = filesystem.text("device").unwrap_or_default();
            let Some(disk) = disks.get(device) else { continue };
            let item = place.below(storage, "filesystems").item(n, value);
            let place = item.below(filesystem, "device");
            let wipes = filesystem.flag("wipeFilesystem") == Some(true);
            if !disk.list("partitions").is_empty() {
                self.warning(&place, "filesystem overwrites partitioned device");
            } else if !wipes && disk.flag("wipeTable") == Some(true) {
                let message =
                    "device matches disk with wipeTable enabled; filesystem will be wiped";
                self.warning(&place, message);
            }
        }
    }
}
