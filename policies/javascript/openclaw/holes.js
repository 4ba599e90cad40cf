/** Which release is taken for granted. Mirrors that part of `policies/openclaw/src/holes.rs`. */

import { NEWEST } from "./version.js";

/**
 * Says which release is taken for granted, where that is not sure.
 *
 * @param {import("./installation.js").Installation} installation
 * @param {import("../sdk/decision.js").Decision} decision
 */
export function version({ snapshot, version, versionKnown }, decision) {
    const remedy =
        "say it: --attribute openclaw-version=2026.9.6, or [deployment.attributes] in the manifest";
    const said = snapshot.fact("openclaw-version");
    if (said !== null && !versionKnown) {
        const message = `\`${said}\` is no release of OpenClaw (they are YEAR.MONTH.NUMBER); its programs are taken to read as those of ${version}`;
        decision.finding("error", "version-invalid", message).remedy(remedy);
    } else if (!versionKnown) {
        const message = `the version of OpenClaw is not known here; its programs are taken to read as those of ${version}`;
        decision.finding("info", "version-unknown", message).remedy(remedy);
    } else if (version > NEWEST) {
        const message = `OpenClaw ${version} is newer than any that was measured; its programs are taken to read as those of ${NEWEST}`;
        decision
            .finding("info", "version-newer", message)
            .remedy("compare what explain says with openclaw gateway call health");
    }
}
