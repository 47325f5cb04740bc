//! Boot entries: printing keeps every line, and an edit changes nothing but the options.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nestos_formats::bls::Entry;
use nestos_formats::kargs::Karg;

fuzz_target!(|text: &str| {
    let Ok(mut entry) = text.parse::<Entry>() else { return };
    assert_eq!(entry.to_string().parse::<Entry>().as_ref(), Ok(&entry));
    let Ok(mut args) = entry.options() else { return };
    args.append("x=\"a;b c\"".parse::<Karg>().expect("a good argument"));
    let title = entry.get("title").map(str::to_owned);
    if entry.set_options(&args).is_err() {
        return;
    }
    let again: Entry = entry.to_string().parse().expect("an entry stays one");
    assert_eq!(again.options().as_ref(), Ok(&args));
    assert_eq!(again.get("title"), title.as_deref());
});
