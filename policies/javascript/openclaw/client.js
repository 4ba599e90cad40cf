/**
 * The command line, the probe and node hosts: one resolver, asked differently. Mirrors
 * `policies/openclaw/src/client.rs`.
 */

import { orderAsked, urlFrom } from "./call.js";
import {
    givesProxyPassword,
    isContentWithCall,
    keepsToAuth,
    knowsReferences,
    knowsSourceOfUrl,
    needsWhatModeStates,
} from "./era.js";
import { PASSWORD, TOKEN, other } from "./credential.js";
import { failing } from "./reader.js";

/** @typedef {import("./era.js").Place} Place */
/** @typedef {import("./credential.js").Credential} Credential */
/** @typedef {import("./reader.js").Answer} Answer */
/** @typedef {import("./reader.js").Reader} Reader */
/** @typedef {{ credential: Credential, place: Place }} Spot */

/**
 * What a client gets of each credential. Which references it follows is the same for both.
 *
 * @param {Reader} reader
 * @returns {(credential: Credential) => Answer}
 */
export function resolver(reader) {
    const client = new Client(reader);
    // One after the other, in this order: what the first leads to can make the next needless.
    for (const spot of [
        at(TOKEN, "auth"),
        at(PASSWORD, "auth"),
        at(TOKEN, "remote"),
        at(PASSWORD, "remote"),
    ]) {
        if (reader.leads(spot.credential, spot.place) && client.wouldUse(spot)) {
            client.followed.push(spot);
        }
    }
    // Where it would fail at a reference, it follows that one too, and looks again.
    let failure = client.failure();
    while (failure !== null && reader.leads(failure.credential, failure.place)) {
        client.followed.push(failure);
        failure = client.failure();
    }
    return (credential) => {
        const answer = client.found(credential);
        return failure?.credential === credential
            ? failing(answer, reader.reference(credential, failure.place))
            : answer;
    };
}

/**
 * @param {Credential} credential
 * @param {Place} place
 * @returns {Spot}
 */
function at(credential, place) {
    return { credential, place };
}

/** A client, and which references it follows. */
class Client {
    /** @param {Reader} reader */
    constructor(reader) {
        this.reader = reader;
        this.version = reader.version;
        this.isLocal = reader.installation.mode === "local";
        this.statedAuthMode = reader.installation.statedAuthMode;
        /** @type {Spot[]} */
        this.followed = [];
        /** The places that the client looks at, whatever stands there. */
        this.places = { token: this.placesFor(TOKEN), password: this.placesFor(PASSWORD) };
    }

    /**
     * @param {Credential} credential
     * @returns {Place[]}
     */
    placesFor(credential) {
        const { reader, version } = this;
        const isHanded = reader.isPlain(TOKEN, "call") || reader.isPlain(PASSWORD, "call");
        if (isContentWithCall(version, reader.program) && isHanded) {
            return ["call"];
        }
        const variables = reader.variables();
        const leavesRemote =
            this.isLocal &&
            credential === PASSWORD &&
            this.statedAuthMode === "trusted-proxy" &&
            givesProxyPassword(version);
        return this.order(credential).filter(
            (place) =>
                (place !== "legacy-env" || variables.includes(place)) &&
                (place !== "remote" || !leavesRemote),
        );
    }

    /**
     * The order that holds for the URL that the client is sent to.
     *
     * @param {Credential} credential
     * @returns {Place[]}
     */
    order(credential) {
        const { reader, version } = this;
        const { installation, program } = reader;
        switch (this.url()) {
            case "caller":
                return [];
            case "environment":
                return ["env", "legacy-env"];
        }
        const asked =
            program === "cli"
                ? orderAsked(reader.snapshot, version, installation.mode, credential)
                : null;
        return asked ?? reader.order(installation.mode, credential);
    }

    /** Who sends the client elsewhere, as this release understands it. */
    url() {
        const { installation, program, snapshot } = this.reader;
        const url = urlFrom(snapshot);
        if (url === null && installation.urlOverride && program === "cli") {
            return "environment";
        }
        return url === "environment" && !knowsSourceOfUrl(this.version) ? "caller" : url;
    }

    /**
     * Whether the client would use what a reference leads to, if the references that it has not
     * followed were not there. It does not follow one for nothing: a command may be at its end.
     *
     * @param {Spot} spot
     */
    wouldUse({ credential, place }) {
        if (this.isLocal && !this.mayAuthenticateBy(credential)) {
            return false;
        }
        const { standing } = this.reader.walk(
            credential,
            this.places[credential.word],
            (at) => at === place || this.follows(credential, at),
        );
        const location = this.reader.at(credential, place);
        if (standing.tag !== "copy" || standing.val !== location?.id) {
            return false;
        }
        if (needsWhatModeStates(this.version) && this.isStated(credential)) {
            return true;
        }
        const second = other(credential);
        const others = this.reader.walk(second, this.places[second.word], (at) =>
            this.follows(second, at),
        );
        return others.standing.tag === "nothing";
    }

    /**
     * The first secret. In local mode a reference at `gateway.auth.*` hides `gateway.remote.*`.
     *
     * @param {Credential} credential
     * @returns {Answer}
     */
    found(credential) {
        const { reader } = this;
        const hidesRemote =
            this.isLocal &&
            keepsToAuth(this.version) &&
            reader.reference(credential, "auth") !== null;
        const places = this.places[credential.word].filter(
            (place) => place !== "remote" || !hidesRemote,
        );
        return reader.answer(credential, places, (place) => this.follows(credential, place));
    }

    /**
     * The reference at which the client fails, for it should have led to a secret.
     *
     * @returns {Spot | null}
     */
    failure() {
        if (!knowsReferences(this.version)) {
            return null;
        }
        return this.isLocal ? this.failureInLocalMode() : this.failureInRemoteMode();
    }

    /**
     * It fails at `gateway.auth.*` of the credential by which it would authenticate: where a variable
     * is set which that reference should have come before, and where nothing else is there.
     *
     * @returns {Spot | null}
     */
    failureInLocalMode() {
        const candidates = [at(TOKEN, "auth"), at(PASSWORD, "auth")].filter(
            (spot) =>
                this.isUnfollowed(spot) &&
                this.mayAuthenticateBy(spot.credential) &&
                (this.statedAuthMode !== null || this.findsNothing(other(spot.credential))),
        );
        return (
            candidates.find(({ credential }) => this.comesBeforeVariable(credential)) ??
            candidates.find(({ credential }) => this.findsNothing(credential)) ??
            null
        );
    }

    /**
     * It fails where neither secret is found, and no variable is set that it could have asked for.
     *
     * @returns {Spot | null}
     */
    failureInRemoteMode() {
        if (!this.findsNothing(TOKEN) || !this.findsNothing(PASSWORD)) {
            return null;
        }
        // The password of this machine's own gateway is nothing that it would insist on.
        const insists = [at(TOKEN, "remote"), at(PASSWORD, "remote")];
        if (this.mayAuthenticateBy(TOKEN)) {
            insists.push(at(TOKEN, "auth"));
        }
        const failed = insists.find(
            (spot) => this.isUnfollowed(spot) && !this.hasVariable(spot.credential),
        );
        return failed ?? null;
    }

    /**
     * Whether a variable is set that `gateway.auth.*` comes before.
     *
     * @param {Credential} credential
     */
    comesBeforeVariable(credential) {
        const places = this.places[credential.word];
        return places.indexOf("auth") < places.indexOf("env") && this.hasVariable(credential);
    }

    /** @param {Credential} credential */
    hasVariable(credential) {
        return this.reader.variables().some((place) => this.reader.isPlain(credential, place));
    }

    /** @param {Credential} credential */
    findsNothing(credential) {
        return this.found(credential).standing.tag === "nothing";
    }

    /**
     * Whether a reference stands among its places that it has not followed.
     *
     * @param {Spot} spot
     */
    isUnfollowed({ credential, place }) {
        return (
            this.reader.reference(credential, place) !== null &&
            this.places[credential.word].includes(place) &&
            !this.follows(credential, place)
        );
    }

    /**
     * @param {Credential} credential
     * @param {Place} place
     */
    follows(credential, place) {
        return this.followed.some((spot) => spot.credential === credential && spot.place === place);
    }

    /**
     * Whether clients of this machine's gateway can authenticate by a credential. Where no mode is set,
     * they can by either.
     *
     * @param {Credential} credential
     */
    mayAuthenticateBy(credential) {
        switch (this.statedAuthMode) {
            case null:
                return true;
            case "trusted-proxy":
                return credential === PASSWORD && givesProxyPassword(this.version);
            default:
                return this.statedAuthMode === credential.word;
        }
    }

    /**
     * Whether the mode of this machine's gateway says that a client here authenticates by it.
     *
     * @param {Credential} credential
     */
    isStated(credential) {
        return this.isLocal && this.statedAuthMode !== null && this.mayAuthenticateBy(credential);
    }
}
