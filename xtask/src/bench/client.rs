//! The clients that `bench upload` compares: how each is started, and what its upload
//! guarantees.

/// One client in one configuration.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) program: &'static str,
    /// The options of this configuration; empty for the client's defaults.
    pub(crate) options: &'static str,
    /// Everything after the program name. `DIR` stands for the source directory, `RUN` for the
    /// folder below `s3://bench/runs` that the files go to.
    arguments: &'static str,
    /// What protects the bytes in transit.
    pub(crate) protection: &'static str,
    /// The checksum that S3 stores with the object.
    pub(crate) kept: &'static str,
}

/// The bucket and prefix used in the arguments.
pub(crate) const BUCKET: &str = "bench";
pub(crate) const PREFIX: &str = "runs";

const LOB_UPLOAD: Client = Client {
    program: "lob-upload",
    options: "",
    arguments: "--bucket bench --prefix runs --run-id RUN --source-dir DIR --progress none",
    protection: "CRC64NVME of each part and of the object",
    kept: "CRC64NVME, whole object",
};

/// `lob-upload` with its defaults comes first: all others are compared with it.
pub(crate) const CLIENTS: [Client; 7] = [
    LOB_UPLOAD,
    Client {
        options: "--hash md5",
        arguments: "--bucket bench --prefix runs --run-id RUN --source-dir DIR --progress none \
                    --hash md5",
        ..LOB_UPLOAD
    },
    Client {
        program: "mc",
        options: "",
        arguments: "cp --quiet --recursive DIR/ bench/bench/runs/RUN/",
        protection: "chunk signatures; with TLS nothing",
        kept: "none",
    },
    Client {
        program: "mc",
        options: "--checksum CRC64NVME",
        arguments: "cp --quiet --recursive --checksum CRC64NVME DIR/ bench/bench/runs/RUN/",
        protection: "CRC64NVME of each part",
        kept: "CRC64NVME, whole object",
    },
    Client {
        program: "s5cmd",
        options: "",
        arguments: "cp DIR/* s3://bench/runs/RUN/",
        protection: "MD5 and SHA-256 of each part",
        kept: "none",
    },
    Client {
        program: "aws",
        options: "",
        arguments: "s3 cp --only-show-errors --recursive DIR s3://bench/runs/RUN/",
        protection: "CRC32 and SHA-256 of each part; with TLS CRC32",
        kept: "CRC32, composite",
    },
    Client {
        program: "rclone",
        options: "",
        arguments: "copy DIR bench:bench/runs/RUN",
        protection: "MD5, from a read of its own",
        kept: "none",
    },
];

impl Client {
    /// Whether this is one of our tools.
    pub(crate) fn is_ours(&self) -> bool {
        self.program == LOB_UPLOAD.program
    }

    /// Program and options.
    pub(crate) fn name(&self) -> String {
        [self.program, self.options].join(" ").trim_end().to_owned()
    }

    /// The command as the report shows it.
    pub(crate) fn command_line(&self) -> String {
        format!("{} {}", self.program, self.arguments)
    }

    /// The arguments of one run.
    pub(crate) fn arguments_for(&self, folder: &str, run: &str) -> Vec<String> {
        let words = self.arguments.split_whitespace();
        words
            .map(|word| word.replace("DIR", folder).replace("RUN", run))
            .collect()
    }
}
