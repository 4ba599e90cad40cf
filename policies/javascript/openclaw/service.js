/** What starts a program without a shell. Mirrors the first half of `policies/openclaw/src/environment.rs`. */

import { TOKEN } from "./credential.js";

/** @typedef {import("../sdk/snapshot.js").Location} Location */
/** @typedef {import("./era.js").Program} Program */
/** @typedef {import("./installation.js").Installation} Installation */

/**
 * The declared names of a service's own variables, without the credential; the first is that of the
 * definition itself.
 *
 * @typedef {{ program: Program, definitions: string[] }} Service
 */

/** @type {Service[]} */
const SERVICES = [
    { program: "gateway", definitions: ["unit"] },
    { program: "gateway", definitions: ["system-unit"] },
    { program: "gateway", definitions: ["plist", "service-env"] },
    { program: "node-host", definitions: ["node-unit"] },
    { program: "node-host", definitions: ["node-plist", "node-service-env"] },
];

/**
 * The service that is defined for a program; none where only a shell starts it. A definition that
 * names another state directory is another installation's.
 *
 * @param {Installation} installation
 * @param {Program} program
 * @returns {Service | null}
 */
function serviceOf(installation, program) {
    if (program === "gateway" && isOfAnother(installation)) {
        return null;
    }
    const { snapshot } = installation;
    // A drop-in without a unit starts nothing.
    /** @param {string} definition */
    const isThere = (definition) => {
        const own = installation.location(`${definition}.${TOKEN.name}`);
        return own !== null && snapshot.locationAttribute(own, "file") !== "absent";
    };
    const defined = SERVICES.find(
        (service) => service.program === program && service.definitions.some(isThere),
    );
    return defined ?? null;
}

/**
 * Whether the gateway's unit names another state directory, or another configuration, than the one that
 * was observed: what it embeds is then not this configuration's.
 *
 * @param {Installation} installation
 * @returns {boolean}
 */
function isOfAnother({ snapshot, inService }) {
    /** @param {string} name */
    const path = (name) => withoutTrailingSlashes(snapshot.fact(name));
    const observed = path("config-path");
    if (observed === null) {
        return false;
    }
    const slash = observed.lastIndexOf("/");
    const folder = slash === -1 ? null : observed.slice(0, slash);
    const configuration = path("service-config-path");
    if (configuration !== null) {
        return configuration !== observed;
    }
    const directory = path("service-state-dir");
    if (directory !== null) {
        return directory !== folder;
    }
    // It names none, so it takes the usual one; this process was told another.
    const told = snapshot.fact("state-dir") !== null || snapshot.fact("config-variable") !== null;
    const usual = path("usual-state-dir");
    return told && !inService && usual !== null && usual !== folder;
}

/**
 * @param {string | null} path
 * @returns {string | null}
 */
function withoutTrailingSlashes(path) {
    if (path === null) {
        return null;
    }
    let end = path.length;
    while (end > 0 && path[end - 1] === "/") {
        end -= 1;
    }
    return path.slice(0, end);
}

/**
 * The service that starts a program, with variables of its own: none where this process is that
 * service, for then its variables were observed as they are.
 *
 * @param {Installation} installation
 * @param {Program} program
 * @returns {Service | null}
 */
export function starter(installation, program) {
    return program === "gateway" && installation.inService ? null : serviceOf(installation, program);
}

/**
 * Every place in a service's definition that sets, or could set, a credential's variable.
 *
 * @param {Installation} installation
 * @param {Service} service
 * @param {import("./credential.js").Credential} credential
 * @returns {Location[]}
 */
export function definedBy(installation, service, credential) {
    return installation.snapshot.locations.filter((location) => {
        const declared = location.declaredName();
        const dot = declared.indexOf(".");
        return (
            dot !== -1 &&
            declared.slice(dot + 1) === credential.name &&
            service.definitions.includes(declared.slice(0, dot))
        );
    });
}
