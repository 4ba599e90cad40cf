/**
 * Where a program's environment comes from: the process, files that it reads, or a service. Mirrors
 * `policies/openclaw/src/environment.rs`.
 *
 * A variable that is set is never replaced by a file's, even where it is empty; a blank one is
 * replaced by the configuration's own `env`.
 */

import { trim } from "../sdk/text.js";
import { definedBy } from "./service.js";
import { Version } from "./version.js";

/** @typedef {import("../sdk/snapshot.js").Location} Location */
/** @typedef {import("./credential.js").Credential} Credential */
/** @typedef {import("./installation.js").Installation} Installation */
/** @typedef {import("./service.js").Service} Service */

// Since then no `OPENCLAW_*` is taken from a `.env` in the working directory.
const FILTERS_WORKING_DIRECTORY = new Version(2026, 4, 0);
// Since then a service takes the variables that its unit calls managed from `.env`, and drops them
// where that has none.
const MANAGES_VARIABLES = new Version(2026, 8, 2);

/**
 * The places at which a program finds the credential's variable, in order.
 *
 * @param {Installation} installation
 * @param {import("./era.js").Program} program
 * @param {string | null} given The consumer's attribute `environment`.
 * @param {Service | null} service What starts the program.
 * @param {Credential} credential
 * @returns {Location[]}
 */
export function environment(installation, program, given, service, credential) {
    switch (given) {
        case "none":
            return [];
        case "process":
            return variables(installation, null, credential);
    }
    const places = variables(installation, service, credential);
    if (service === null && program !== "gateway" && isStepBeforeStart(installation)) {
        return places.filter((place) => place.name !== credential.at.env);
    }
    return places;
}

/**
 * Whether this process runs inside the gateway's service just before it starts: its variables are then
 * the gateway's alone, and nobody else's are known.
 *
 * @param {Installation} installation
 */
function isStepBeforeStart({ inService, snapshot: { phase } }) {
    return inService && (phase === "start" || phase === "restart");
}

/**
 * The places at which a program finds the credential's variable, whether a service starts it or the
 * process that was observed.
 *
 * @param {Installation} installation
 * @param {Service | null} service
 * @param {Credential} credential
 * @returns {Location[]}
 */
export function variables(installation, service, credential) {
    const own =
        service === null
            ? processVariables(installation, credential)
            : serviceVariables(installation, service, credential);
    const files = ["dotenv"];
    if (readsGatewayEnv(installation)) {
        files.push("gateway-env");
    }
    // What cannot be read is told by the host; what its readers make of it is not known.
    const places = [...own, ...existing(files.map((file) => variable(installation, file, credential)))]
        .filter((place) => !place.isUnreadable());
    // What is set but blank keeps the files below it from being looked at.
    const first = places.findIndex((place) => place.presence.tag !== "absent");
    if (first !== -1 && places[first].isUnset()) {
        places.length = first + 1;
    }
    const { word } = credential;
    const inConfiguration = [`config.env-${word}`, `config.env-vars-${word}`];
    places.push(...existing(inConfiguration.map((name) => installation.location(name))));
    return places;
}

/**
 * @param {Installation} installation
 * @param {Credential} credential
 */
function processVariables(installation, credential) {
    const own = installation.location(credential.at.env);
    const here = installation.version < FILTERS_WORKING_DIRECTORY;
    return existing([own, here ? variable(installation, "working-dotenv", credential) : null]);
}

/**
 * @param {Installation} installation
 * @param {Service} service
 * @param {Credential} credential
 */
function serviceVariables(installation, service, credential) {
    if (drops(installation, service, credential)) {
        return [];
    }
    const { snapshot } = installation;
    return definedBy(installation, service, credential).filter(
        (location) => snapshot.locationAttribute(location, "in-force") !== "no",
    );
}

/**
 * @param {Installation} installation
 * @param {string} file
 * @param {Credential} credential
 */
function variable(installation, file, credential) {
    return installation.location(`${file}.${credential.name}`);
}

/**
 * Whether programs read `~/.config/openclaw/gateway.env`: not where another state directory is named.
 *
 * @param {Installation} installation
 */
function readsGatewayEnv({ version, snapshot }) {
    return version >= FILTERS_WORKING_DIRECTORY && snapshot.fact("state-dir") === null;
}

/**
 * Whether the gateway drops, when it starts, what its unit says of the variable: where that is called
 * managed, and the configuration does not refer to it.
 *
 * @param {Installation} installation
 * @param {Service} service
 * @param {Credential} credential
 */
function drops(installation, service, { key, at }) {
    const managed = installation.snapshot.fact("service-managed-keys") ?? "";
    /** @param {string} name */
    const refers = (name) => installation.location(name)?.reference()?.target === key;
    return (
        installation.version >= MANAGES_VARIABLES &&
        service.program === "gateway" &&
        managed.split(",").some((one) => trim(one) === key) &&
        !refers(at.auth) &&
        !refers(at.remote)
    );
}

/**
 * @param {(Location | null)[]} locations
 * @returns {Location[]}
 */
function existing(locations) {
    return locations.filter((location) => location !== null);
}
