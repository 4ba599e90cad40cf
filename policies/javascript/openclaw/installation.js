/** Version and modes of an installation. Mirrors `policies/openclaw/src/installation.rs`. */

import { modeOverride } from "./call.js";
import { PASSWORD, TOKEN, authModeFromName } from "./credential.js";
import { variables } from "./environment.js";
import { knowsReferences } from "./era.js";
import { starter } from "./service.js";
import { NEWEST, versionInText } from "./version.js";

/** @typedef {import("../sdk/snapshot.js").Location} Location */
/** @typedef {import("../sdk/snapshot.js").Snapshot} Snapshot */
/** @typedef {import("./credential.js").AuthMode} AuthMode */

/**
 * Whether the configuration speaks of a gateway here or of another one.
 *
 * @typedef {"local" | "remote"} Mode
 */

// What this machine is called in a node host's settings.
const HERE = ["127.0.0.1", "localhost", "::1", "[::1]", "0.0.0.0"];

/** An installation of OpenClaw as a snapshot shows it. */
export class Installation {
    /** @param {Snapshot} snapshot */
    constructor(snapshot) {
        const version = detect(snapshot);
        this.snapshot = snapshot;
        /** The release; the newest where `versionKnown` is false. */
        this.version = version ?? NEWEST;
        this.versionKnown = version !== null;
        const stated = snapshot.fact("gateway.mode") === "remote" ? "remote" : "local";
        /** @type {Mode} */
        this.mode = modeOverride(snapshot) ?? stated;
        /** `OPENCLAW_SERVICE_KIND=gateway` */
        this.inService = snapshot.fact("service-kind") === "gateway";
        /** `OPENCLAW_GATEWAY_URL` is set: clients then take credentials from the environment only. */
        this.urlOverride = snapshot.fact("gateway-url") !== null;
        const authMode = snapshot.fact("gateway.auth.mode");
        /**
         * `gateway.auth.mode`; none where it is not set.
         *
         * @type {AuthMode | null}
         */
        this.statedAuthMode = authMode === null ? null : authModeFromName(authMode);
        /**
         * Whether every part of the configuration that was looked at could be read. OpenClaw reads it
         * whole before it looks at any part, and refuses it whole.
         */
        this.isReadable = !snapshot.locations.some(
            (location) => location.isUnreadable() && location.name.startsWith("config."),
        );
    }

    /**
     * How clients authenticate. Where `gateway.auth.mode` is not set, a password makes it password
     * mode, as in OpenClaw itself.
     *
     * @returns {AuthMode}
     */
    authMode() {
        if (this.statedAuthMode !== null) {
            return this.statedAuthMode;
        }
        const places = variables(this, starter(this, "gateway"), PASSWORD);
        const hasPassword = places.some(isSet) || isSetAt(this, PASSWORD.at.auth);
        return hasPassword ? "password" : "token";
    }

    /**
     * Whether the server refuses the configuration: both secrets stand in it, and no mode says which
     * one is meant.
     */
    isAmbiguous() {
        return (
            knowsReferences(this.version) &&
            this.statedAuthMode === null &&
            isSetAt(this, TOKEN.at.auth) &&
            isSetAt(this, PASSWORD.at.auth)
        );
    }

    /**
     * The host of another gateway that the node host connects to; none where it is this one's.
     *
     * @returns {string | null}
     */
    nodeConnectsTo() {
        const host = this.snapshot.fact("node-gateway-host");
        const isElsewhere = host !== null && !HERE.includes(host);
        return this.mode === "local" && isElsewhere ? host : null;
    }

    /**
     * A location of the preset; none where the deployment does not have it.
     *
     * @param {string} name
     * @returns {Location | null}
     */
    location(name) {
        return this.snapshot.locationNamed(name);
    }
}

// Where the release is told, the surest first: by the deployment itself; by the package that the
// service starts; by the release that wrote the configuration, or the unit; by a package or program
// on the PATH, which may be another's.
const TOLD_BY = [
    "openclaw-version.started",
    "openclaw-version.config",
    "openclaw-version.unit",
    "openclaw-version.description",
    "openclaw-version.package",
    "openclaw-version.program",
];

/**
 * The release; none where nothing tells it, or the deployment says something that is none.
 *
 * @param {Snapshot} snapshot
 */
function detect(snapshot) {
    const said = snapshot.fact("openclaw-version");
    if (said !== null) {
        // What the deployment says counts, even where it is none: that is told.
        return versionInText(said);
    }
    for (const name of TOLD_BY) {
        const version = versionInText(snapshot.fact(name) ?? "");
        if (version !== null) {
            return version;
        }
    }
    return null;
}

/**
 * Whether something is configured there, whether or not it leads to a secret.
 *
 * @param {Location} location
 */
export function isSet(location) {
    const { tag } = location.presence;
    return tag === "plain" || tag === "reference" || tag === "placeholder";
}

/**
 * @param {Installation} installation
 * @param {string} name
 */
function isSetAt(installation, name) {
    const location = installation.location(name);
    return location !== null && isSet(location);
}
