//! Resources: contents, wherever they come from. They appear all over a config.

use super::allows::{Allows, CERTIFICATE_URL, SOURCE_URL, always};
use super::{NAME, doc, object, shape, text};
use crate::schema::{Field, Identity, Layer, Shape, Since, Type};

/// What Ignition calls a resource.
pub(crate) static CONTENTS: Shape = Shape {
    formerly: Some(("FileContents", Since(Layer::Base, 2))),
    ..shape(
        "Resource",
        Identity::Field("source"),
        &[
            text("compression", "compression").doc(
                doc(
                    "How the contents are compressed as they are stored or transferred; \
                     Ignition unpacks them. For `inline` and `local`, leave it out: \
                     butane compresses by itself where that is shorter.",
                    "内容在存储或传输时的压缩方式；由 Ignition 解压。使用 `inline` 和 \
                     `local` 时请不要设置：butane 会在更短时自动压缩。",
                )
                .allows(Allows::OneOf(&[always("gzip"), always("")]))
                .default_words("not compressed", "不压缩")
                .example("compression: gzip"),
            ),
            Field::new("http_headers", "httpHeaders", Type::Objects(&HEADER, Some("HTTPHeaders")))
                .since(2)
                .doc(
                    doc(
                        "Headers to send with the request; only for http:// and https:// \
                         sources.",
                        "随请求发送的 HTTP 头；仅用于 http:// 和 https:// 来源。",
                    )
                    .example("http_headers:\n  - name: Authorization\n    value: Bearer TOKEN"),
                ),
            text("source", "source").doc(
                doc(
                    "URL that Ignition fetches at the first boot. Not together with \
                     `inline` or `local`.",
                    "Ignition 在首次启动时获取的 URL。不能与 `inline` 或 `local` 同时使用。",
                )
                .allows(SOURCE_URL)
                .example("source: https://example.com/app.conf")
                .nestos(
                    "Reads http, https, tftp, s3, gs and data URLs; not arn URLs, which \
                     came with Ignition 3.4.0.",
                    "支持 http、https、tftp、s3、gs 和 data URL；不支持 Ignition 3.4.0 才\
                     有的 arn URL。",
                ),
            ),
            text("inline", "").sugar().doc(
                doc(
                    "The contents themselves, written in the config. Becomes a data URL. \
                     Not together with `source` or `local`.",
                    "直接写在配置里的内容，会变成 data URL。不能与 `source` 或 `local` 同\
                     时使用。",
                )
                .example("inline: |\n  first line\n  second line"),
            ),
            text("local", "").sugar().since(2).doc(
                doc(
                    "A file on the machine that compiles the config, relative to the \
                     directory given with --files-dir; it is embedded. Its mode is not \
                     copied. Not together with `source` or `inline`.",
                    "编译配置的机器上的文件，相对于 --files-dir 指定的目录；其内容会被嵌\
                     入。文件权限不会被复制。不能与 `source` 或 `inline` 同时使用。",
                )
                .example("local: app/app.conf"),
            ),
            object("verification", "verification", &VERIFICATION).doc(
                doc(
                    "What the contents must be; anything else stops the first boot.",
                    "内容必须满足的校验；不符合时首次启动会中止。",
                )
                .example(
                    "verification:\n\
                     \x20 hash: sha256-e3b0c44298fc1c149afbf4c8996fb924\
                     27ae41e4649b934ca495991b7852b855",
                ),
            ),
        ],
    )
};

/// Where a config is, in the first version.
pub(crate) static CONFIG_REFERENCE: Shape = shape(
    "ConfigReference",
    Identity::Field("source"),
    &[
        text("source", "source").doc(
            doc("URL of the config.", "配置的 URL。")
                .allows(SOURCE_URL)
                .example("source: https://example.com/site.ign"),
        ),
        object("verification", "verification", &VERIFICATION).doc(doc(
            "What the config must be; anything else stops the first boot.",
            "配置必须满足的校验；不符合时首次启动会中止。",
        )),
    ],
);

/// Where a certificate is, in the first version.
pub(crate) static CA_REFERENCE: Shape = shape(
    "CaReference",
    Identity::Field("source"),
    &[
        text("source", "source").always().doc(
            doc("URL of the certificates.", "证书的 URL。")
                .allows(CERTIFICATE_URL)
                .example("source: https://example.com/ca.pem"),
        ),
        object("verification", "verification", &VERIFICATION).doc(doc(
            "What the certificates must be; anything else stops the first boot.",
            "证书必须满足的校验；不符合时首次启动会中止。",
        )),
    ],
);

pub(crate) static HEADER: Shape = shape(
    "HTTPHeader",
    NAME,
    &[
        text("name", "name").always().doc(
            doc("Name of the header.", "HTTP 头的名称。")
                .allows(Allows::Filled)
                .example("name: Authorization"),
        ),
        text("value", "value").doc(
            doc(
                "Value of the header; must not be empty. In a config that is merged into \
                 another, a header without value takes the one there away.",
                "HTTP 头的值；不能为空。在合并到其他配置的配置中，没有值的 HTTP 头会删除\
                 对方的同名头。",
            )
            .allows(Allows::NotEmpty)
            .example("value: Bearer TOKEN"),
        ),
    ],
);

pub(crate) static VERIFICATION: Shape = shape(
    "Verification",
    Identity::None,
    &[text("hash", "hash").doc(
        doc(
            "Digest of the contents after unpacking: the function, a dash, then \
             the digest in hexadecimal.",
            "解压后内容的摘要：函数名、短横线，然后是十六进制摘要。",
        )
        .allows(Allows::Digest)
        .default_words("not verified", "不校验")
        .example(
            "hash: sha256-e3b0c44298fc1c149afbf4c8996fb9242\
             7ae41e4649b934ca495991b7852b855",
        ),
    )],
);
