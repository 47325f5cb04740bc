//! Boot options of UEFI firmware as bytes: the variables `Boot####`, `BootOrder` and `BootNext`
//! (UEFI specification 2.10, 3.1.3 and 3.3) with device paths that lead to a file on a partition
//! (10.3.5.1 and 10.3.5.4).

/// GUID of the variables that belong to the firmware, as efivarfs writes it.
pub const GLOBAL_VARIABLE: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Attributes of these variables: kept without power, seen while booting and by the system.
pub const ATTRIBUTES: u32 = 0x7;

/// `LOAD_OPTION_ACTIVE`: the firmware may boot it.
const ACTIVE: u32 = 0x1;
const MEDIA: u8 = 0x04;
const HARD_DRIVE: u8 = 0x01;
const FILE_PATH: u8 = 0x04;
const END: u8 = 0x7F;
const HARD_DRIVE_LEN: usize = 42;
const GPT: u8 = 0x02;
const GUID_SIGNATURE: u8 = 0x02;

/// A partition as a device path names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardDrive {
    /// Number in the table, from 1.
    pub number: u32,
    /// First sector.
    pub start: u64,
    /// Sectors.
    pub sectors: u64,
    /// GUID of the partition, as the table stores it.
    pub guid: [u8; 16],
}

/// What a boot option leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOption {
    /// Attributes, such as whether it may be booted.
    attributes: u32,
    /// What the boot menu of the firmware shows.
    pub description: String,
    /// The partition; nothing for options that lead elsewhere.
    pub drive: Option<HardDrive>,
    /// The program, with backslashes; nothing for the one that the firmware finds itself.
    pub file: Option<String>,
}

impl LoadOption {
    /// Returns an option that boots a program on a partition.
    pub fn new(description: &str, drive: HardDrive, file: &str) -> Self {
        Self {
            attributes: ACTIVE,
            description: description.to_owned(),
            drive: Some(drive),
            file: Some(file.to_owned()),
        }
    }

    /// Reads the content of a variable `Boot####`; nothing if it is damaged.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let attributes = u32::from_le_bytes(*bytes.first_chunk()?);
        let path_len = usize::from(u16_at(bytes, 4)?);
        let (description, after) = utf16(bytes.get(6..)?)?;
        let mut nodes = after.get(..path_len)?;
        let mut option = Self { attributes, description, drive: None, file: None };
        while let [kind, subtype, ..] = *nodes {
            let length = usize::from(u16_at(nodes, 2)?);
            let node = nodes.get(..length).filter(|_| length >= 4)?;
            match (kind, subtype) {
                (MEDIA, HARD_DRIVE) => option.drive = HardDrive::parse(node),
                (MEDIA, FILE_PATH) => option.file = utf16(&node[4..]).map(|(name, _)| name),
                (END, _) => break,
                _ => {}
            }
            nodes = &nodes[length..];
        }
        Some(option)
    }

    /// Returns whether choosing this option boots what `other` boots.
    pub fn boots_the_same(&self, other: &Self) -> bool {
        let file = |option: &Self| option.file.as_ref().map(|f| f.to_ascii_lowercase());
        let active = (self.attributes & other.attributes) & ACTIVE != 0;
        active && self.drive.is_some() && self.drive == other.drive && file(self) == file(other)
    }

    /// Returns the content of a variable `Boot####`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut path = Vec::new();
        if let Some(drive) = &self.drive {
            path.extend(drive.to_bytes());
        }
        if let Some(file) = &self.file {
            path.extend(node(FILE_PATH, &utf16_bytes(file)));
        }
        path.extend([END, 0xFF, 4, 0]);
        let mut bytes = self.attributes.to_le_bytes().to_vec();
        bytes.extend(length(path.len()).to_le_bytes());
        bytes.extend(utf16_bytes(&self.description));
        bytes.extend(path);
        bytes
    }
}

impl HardDrive {
    fn parse(node: &[u8]) -> Option<Self> {
        let node: &[u8; HARD_DRIVE_LEN] = node.try_into().ok()?;
        let gpt = node[40] == GPT && node[41] == GUID_SIGNATURE;
        let u64_at = |at: usize| node[at..].first_chunk().map(|b| u64::from_le_bytes(*b));
        let parsed = Self {
            number: u32::from_le_bytes(*node[4..].first_chunk()?),
            start: u64_at(8)?,
            sectors: u64_at(16)?,
            guid: *node[24..].first_chunk()?,
        };
        gpt.then_some(parsed)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut body = self.number.to_le_bytes().to_vec();
        body.extend(self.start.to_le_bytes());
        body.extend(self.sectors.to_le_bytes());
        body.extend(self.guid);
        body.extend([GPT, GUID_SIGNATURE]);
        node(HARD_DRIVE, &body)
    }
}

/// Returns the name of the variable of an option.
pub fn option_name(number: u16) -> String {
    format!("Boot{number:04X}")
}

/// Returns the number of the option whose variable has this name.
pub fn option_number(name: &str) -> Option<u16> {
    let digits = name.strip_prefix("Boot").filter(|d| d.len() == 4)?;
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| hex)
}

/// Returns the smallest number that no option has.
pub fn free_number(taken: &[u16]) -> Option<u16> {
    (0..=u16::MAX).find(|number| !taken.contains(number))
}

/// Reads `BootOrder`.
pub fn order(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).filter_map(|two| u16_at(two, 0)).collect()
}

/// Returns the content of `BootOrder`, or of `BootNext` for one number.
pub fn order_bytes(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

fn node(subtype: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![MEDIA, subtype];
    bytes.extend(length(body.len() + 4).to_le_bytes());
    bytes.extend(body);
    bytes
}

/// Lengths have two bytes; nothing that is written here is longer than a path.
fn length(bytes: usize) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX)
}

fn utf16_bytes(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// Reads a text up to its NUL, and returns what follows.
fn utf16(bytes: &[u8]) -> Option<(String, &[u8])> {
    let units: Vec<u16> =
        bytes.chunks_exact(2).filter_map(|two| u16_at(two, 0)).take_while(|u| *u != 0).collect();
    let after = bytes.get(2 * (units.len() + 1)..)?;
    Some((String::from_utf16_lossy(&units), after))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drive() -> HardDrive {
        let mut guid = [0; 16];
        guid.iter_mut().zip(1..).for_each(|(byte, n)| *byte = n);
        HardDrive { number: 2, start: 0x1000, sectors: 0x3_F800, guid }
    }

    #[test]
    fn an_option_has_the_bytes_of_the_specification() {
        let bytes = LoadOption::new("OS", drive(), "\\A").to_bytes();
        #[rustfmt::skip]
        let expected = [
            1, 0, 0, 0,                     // active
            56, 0,                          // length of the device path
            b'O', 0, b'S', 0, 0, 0,         // description
            4, 1, 42, 0,                    // media, hard drive
            2, 0, 0, 0,                     // partition
            0x00, 0x10, 0, 0, 0, 0, 0, 0,   // start
            0x00, 0xF8, 3, 0, 0, 0, 0, 0,   // size
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
            2, 2,                           // GPT, GUID
            4, 4, 10, 0, b'\\', 0, b'A', 0, 0, 0,
            0x7F, 0xFF, 4, 0,
        ];
        assert_eq!(bytes, expected);
    }

    /// What `efibootmgr -v` of a machine shows as `Boot0004* debian
    /// HD(1,GPT,0fc63daf-8483-4772-8e79-3d69d8477de4,0x800,0x100000)/File(\EFI\debian\shimx64.efi)`,
    /// with optional data behind it.
    #[test]
    fn an_option_that_another_program_wrote_is_read() {
        let mut bytes = vec![1, 0, 0, 0, 0x62, 0];
        bytes.extend("debian\0".encode_utf16().flat_map(u16::to_le_bytes));
        bytes.extend([4, 1, 42, 0, 1, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0]);
        let guid = [
            0xAF, 0x3D, 0xC6, 0x0F, 0x83, 0x84, 0x72, 0x47, 0x8E, 0x79, 0x3D, 0x69, 0xD8, 0x47,
            0x7D, 0xE4,
        ];
        bytes.extend(guid);
        bytes.extend([2, 2, 4, 4, 0x34, 0]);
        bytes.extend("\\EFI\\debian\\shimx64.efi\0".encode_utf16().flat_map(u16::to_le_bytes));
        bytes.extend([0x7F, 0xFF, 4, 0]);
        bytes.extend(b"optional");
        let option = LoadOption::parse(&bytes).unwrap();
        let drive = HardDrive { number: 1, start: 0x800, sectors: 0x10_0000, guid };
        assert_eq!(option, LoadOption::new("debian", drive, "\\EFI\\debian\\shimx64.efi"));
    }

    #[test]
    fn options_are_the_same_when_they_boot_the_same() {
        let ours = LoadOption::new("NestOS", drive(), "\\EFI\\BOOT\\BOOTX64.EFI");
        let theirs = LoadOption::new("Disk 0", drive(), "\\efi\\boot\\bootx64.efi");
        assert!(theirs.boots_the_same(&ours));
        let inactive = LoadOption { attributes: 0, ..theirs.clone() };
        let elsewhere =
            LoadOption { drive: Some(HardDrive { start: 1, ..drive() }), ..theirs.clone() };
        let device = LoadOption { drive: None, file: None, ..theirs };
        for other in [inactive, elsewhere, device] {
            assert!(!other.boots_the_same(&ours), "{other:?}");
        }
    }

    #[test]
    fn names_and_orders_are_read_and_written() {
        assert_eq!(option_name(0x1a), "Boot001A");
        assert_eq!(option_number("Boot001a"), Some(0x1a));
        for other in ["BootOrder", "BootNext", "Boot+001", "Boot00001", "Boot"] {
            assert_eq!(option_number(other), None, "{other}");
        }
        assert_eq!(free_number(&[0, 2, 1, 4]), Some(3));
        assert_eq!(order(&order_bytes(&[1, 0x100])), [1, 0x100]);
    }

    proptest! {
        #[test]
        fn options_survive_being_written(name in "[ -~]{0,20}", file in "[!-~]{1,30}") {
            let option = LoadOption::new(&name, drive(), &file);
            prop_assert_eq!(LoadOption::parse(&option.to_bytes()), Some(option));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            LoadOption::parse(&bytes);
        }
    }
}
