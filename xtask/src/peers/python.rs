//! The peers that are Python packages.
//!
//! They have their own environment, so that the one that `e2e` installs stays small.

use anyhow::{bail, ensure};
use xshell::{Shell, cmd};

use super::peer::Peer;
use crate::command::{self, works};
use crate::python_environment;
use crate::tools::Tools;

const PACKAGES: [&str; 4] = [
    "pymongo==4.20.0",
    "pymongoarrow==1.15.0",
    "pyarrow==25.0.1",
    "pyspark==3.5.6",
];
/// Spark fetches it, with its dependencies, from Maven Central.
const CONNECTOR: &str = "org.mongodb.spark:mongo-spark-connector_2.12:10.5.0";
const VERSIONS: &str = r#"
import sys
from importlib import import_module
from importlib.metadata import version
for name in sys.argv[1:]:
    import_module(name)
print(", ".join(f"{name} {version(name)}" for name in sys.argv[1:]))
"#;

/// A peer, the program that starts its scripts, and the packages it consists of.
struct Source {
    program: &'static str,
    starter: &'static str,
    packages: &'static [&'static str],
}

const SOURCES: [Source; 3] = [
    Source {
        program: "pymongo",
        starter: "python",
        packages: &["pymongo", "pyarrow"],
    },
    Source {
        program: "pymongoarrow",
        starter: "python",
        packages: &["pymongoarrow", "pyarrow"],
    },
    Source {
        program: "pyspark",
        starter: "spark-submit",
        packages: &["pyspark"],
    },
];

pub(super) async fn install(sh: &Shell) -> anyhow::Result<()> {
    let tools = Tools::new(sh);
    let (folder, python) = (tools.peers_python_folder(), tools.peers_python());
    if !works(cmd!(
        sh,
        "{python} -c {VERSIONS} pymongo pymongoarrow pyspark"
    ))
    .await
    {
        python_environment::create(sh, &folder, &PACKAGES).await?;
    }
    if !works(cmd!(sh, "java -version")).await {
        bail!(
            "Java is missing: Spark runs on 8, 11 or 17, such as Debian's openjdk-17-jre-headless"
        );
    }
    if tools.spark_jars().is_empty() {
        // An empty script: all that matters is what Spark does before running it.
        let script = tempfile::Builder::new().suffix(".py").tempfile()?;
        let (submit, script) = (folder.join("bin/spark-submit"), script.path());
        let cache = format!("spark.jars.ivy={}", tools.spark_packages().display());
        let fetch = cmd!(
            sh,
            "{submit} --packages {CONNECTOR} --conf {cache} {script}"
        );
        command::run(fetch.env("PYSPARK_PYTHON", &python)).await?;
        ensure!(!tools.spark_jars().is_empty(), "Spark fetched no connector");
    }
    Ok(())
}

/// The peers among `programs` that are installed.
pub(super) async fn find(sh: &Shell, programs: &[&str]) -> Vec<Peer> {
    let tools = Tools::new(sh);
    let python = tools.peers_python();
    let mut peers = Vec::new();
    let wanted = |source: &&Source| programs.contains(&source.program);
    for source in SOURCES.iter().filter(wanted) {
        let packages = source.packages;
        let said = command::output(cmd!(sh, "{python} -c {VERSIONS} {packages...}")).await;
        let Ok(mut version) = said.map(|said| said.trim().to_owned()) else {
            continue;
        };
        if source.program == "pyspark" {
            if tools.spark_jars().is_empty() || !works(cmd!(sh, "java -version")).await {
                continue;
            }
            let connector = CONNECTOR.rsplit(':').next().unwrap_or_default();
            version = format!("{version}, connector {connector}");
        }
        peers.push(Peer {
            program: source.program,
            path: tools.peers_python_folder().join("bin").join(source.starter),
            version,
        });
    }
    peers
}
