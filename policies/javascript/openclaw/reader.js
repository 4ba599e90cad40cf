/**
 * A program that looks: what stands at a place for it, and what comes first. Mirrors
 * `policies/openclaw/src/reader.rs`.
 */

import { walk } from "../sdk/precedence.js";
import { forgoesLegacyNames } from "./call.js";
import { PASSWORD, TOKEN } from "./credential.js";
import { environment } from "./environment.js";
import { order, takesLegacyNames } from "./era.js";
import { isSet } from "./installation.js";
import { starter } from "./service.js";

/** @typedef {import("../sdk/contract.d.ts").Standing} Standing */
/** @typedef {import("../sdk/precedence.js").Ranked} Ranked */
/** @typedef {import("../sdk/snapshot.js").Location} Location */
/** @typedef {import("./era.js").Place} Place */
/** @typedef {import("./credential.js").Credential} Credential */

/**
 * What a program gets, what it would get if that copy vanished, and where it looked, in its order.
 *
 * @typedef {{ standing: Standing, next: Location | null, places: Place[] }} Answer
 */

/** A program of OpenClaw's, with the environment that it is given. */
export class Reader {
    /**
     * A program may run without the environment that was observed, such as a hook that is started
     * without it; its consumer then has the attribute `environment = "none"`.
     *
     * @param {import("./installation.js").Installation} installation
     * @param {import("./era.js").Program} program
     * @param {string | null} given The attribute.
     */
    constructor(installation, program, given) {
        const service = starter(installation, program);
        this.installation = installation;
        this.snapshot = installation.snapshot;
        this.version = installation.version;
        this.program = program;
        this.hasEnvironment = given !== "none";
        /** Whether a service starts it, with variables of its own. */
        this.isService = given === null && service !== null;
        /** What could stand at each place: several files can set one variable. */
        this.all = {
            token: this.allOf(TOKEN, environment(installation, program, given, service, TOKEN)),
            password: this.allOf(
                PASSWORD,
                environment(installation, program, given, service, PASSWORD),
            ),
        };
        /** What does stand there for this program: of several files, the one that sets it. */
        this.standing = { token: firstSet(this.all.token), password: firstSet(this.all.password) };
    }

    /**
     * @param {Credential} credential
     * @param {Location[]} env Where it finds the credential's variable, in order.
     * @returns {Record<Place, Location[]>}
     */
    allOf({ at }, env) {
        /** @param {Place} place */
        const one = (place) => {
            const location = this.installation.location(at[place]);
            return location === null ? [] : [location];
        };
        // Nobody embeds the variables of the earlier name.
        const hasLegacy = this.hasEnvironment && !this.isService;
        return {
            call: one("call"),
            env,
            "legacy-env": hasLegacy ? one("legacy-env") : [],
            auth: one("auth"),
            remote: one("remote"),
        };
    }

    /**
     * What stands at a place for this program.
     *
     * @param {Credential} credential
     * @param {Place} place
     * @returns {Location | null}
     */
    at(credential, place) {
        return this.standing[credential.word][place];
    }

    /**
     * Whether a reference leads to the credential's own variable, and this program has another one than
     * the process that was observed: a service has variables of its own, and not every release takes
     * every file's.
     *
     * @param {Credential} credential
     * @param {Location} location
     */
    isOwnVariable(credential, location) {
        const reference = location.reference();
        if (reference?.kind !== "environment" || reference.target !== credential.key) {
            return false;
        }
        const own = this.ownVariable(credential)?.fingerprint() ?? null;
        return this.isService || own !== location.fingerprint();
    }

    /**
     * Whether the variable that a reference names is one that this program gets: of those that only the
     * process, or only the service, has, each sees its own.
     *
     * @param {Location} location
     */
    hasVariable(location) {
        switch (this.snapshot.locationAttribute(location, "resolved-in")) {
            case "process":
                return !this.isService;
            case "service":
                return this.isService;
            default:
                return true;
        }
    }

    /**
     * The copy in the program's environment.
     *
     * @param {Credential} credential
     * @returns {Location | null}
     */
    ownVariable(credential) {
        return this.all[credential.word].env.find((location) => location.isPlain()) ?? null;
    }

    /**
     * Whether something is configured there, whether or not it leads to a secret.
     *
     * @param {Credential} credential
     * @param {Place} place
     */
    isSet(credential, place) {
        const location = this.at(credential, place);
        return location !== null && isSet(location);
    }

    /**
     * Whether a value stands there, and no reference to one.
     *
     * @param {Credential} credential
     * @param {Place} place
     */
    isPlain(credential, place) {
        return this.at(credential, place)?.isPlain() === true;
    }

    /**
     * Whether the documentation's example stands there.
     *
     * @param {Credential} credential
     * @param {Place} place
     */
    isExample(credential, place) {
        return this.at(credential, place)?.presence.tag === "placeholder";
    }

    /**
     * Whether something stands there, but nothing in it.
     *
     * @param {Credential} credential
     * @param {Place} place
     */
    isBlank(credential, place) {
        return this.at(credential, place)?.presence.tag === "empty";
    }

    /**
     * The reference that stands there.
     *
     * @param {Credential} credential
     * @param {Place} place
     * @returns {Location | null}
     */
    reference(credential, place) {
        const location = this.at(credential, place);
        return location?.presence.tag === "reference" ? location : null;
    }

    /**
     * Whether the reference that stands there leads to a secret.
     *
     * @param {Credential} credential
     * @param {Place} place
     */
    leads(credential, place) {
        const location = this.reference(credential, place);
        if (location === null) {
            return false;
        }
        if (this.isOwnVariable(credential, location)) {
            return this.ownVariable(credential) !== null;
        }
        const gets = this.hasEnvironment && this.hasVariable(location);
        return location.isElsewhere() || (gets && location.fingerprint() !== null);
    }

    /**
     * The table's order for this program, without what it does not look at here.
     *
     * @param {import("./installation.js").Mode} mode
     * @param {Credential} credential
     * @returns {Place[]}
     */
    order(mode, credential) {
        const { version, inService } = this.installation;
        return order(version, this.program, mode, credential, inService);
    }

    /**
     * The first place with a secret, where the program follows the references that `follows` names; it
     * passes the others over.
     *
     * @param {Credential} credential
     * @param {Place[]} places
     * @param {(place: Place) => boolean} follows
     */
    walk(credential, places, follows) {
        /** @type {Ranked[]} */
        const ranking = [];
        for (const place of places) {
            for (const location of this.all[credential.word][place]) {
                const ranked = location.isUnset()
                    ? null
                    : this.ranked(credential, location, follows(place));
                if (ranked !== null) {
                    ranking.push(ranked);
                }
            }
        }
        return walk(ranking);
    }

    /**
     * A location as this program looks at it.
     *
     * @param {Credential} credential
     * @param {Location} location
     * @param {boolean} followed
     * @returns {Ranked | null}
     */
    ranked(credential, location, followed) {
        if (!followed) {
            return { location, follows: "none", stopsAtUnresolved: false };
        }
        if (this.isOwnVariable(credential, location)) {
            const own = this.ownVariable(credential);
            return own && { location: own, follows: "all", stopsAtUnresolved: true };
        }
        const gets = this.hasEnvironment && this.hasVariable(location);
        const follows = gets ? "all" : "all-but-variables";
        return { location, follows, stopsAtUnresolved: false };
    }

    /**
     * What a walk comes to.
     *
     * @param {Credential} credential
     * @param {Place[]} places
     * @param {(place: Place) => boolean} follows
     * @returns {Answer}
     */
    answer(credential, places, follows) {
        return { ...this.walk(credential, places, follows), places };
    }

    /**
     * The variables that this client looks at.
     *
     * @returns {Place[]}
     */
    variables() {
        const legacy =
            this.program === "cli" &&
            takesLegacyNames(this.version) &&
            !forgoesLegacyNames(this.snapshot);
        return legacy ? ["env", "legacy-env"] : ["env"];
    }
}

/**
 * Of what could stand at each place, the first that is set, else the first.
 *
 * @param {Record<Place, Location[]>} all
 * @returns {Record<Place, Location | null>}
 */
function firstSet(all) {
    /** @param {Location[]} places */
    const first = (places) => places.find((one) => !one.isUnset()) ?? places[0] ?? null;
    return {
        call: first(all.call),
        env: first(all.env),
        "legacy-env": first(all["legacy-env"]),
        auth: first(all.auth),
        remote: first(all.remote),
    };
}

/**
 * The answer of a program that fails at a reference which should have led to a secret.
 *
 * @param {Answer} answer
 * @param {Location | null} at
 * @returns {Answer}
 */
export function failing(answer, at) {
    return at === null ? answer : becoming(answer, { tag: "unresolved", val: at.id });
}

/**
 * The answer where something else came out.
 *
 * @param {Answer} answer
 * @param {Standing} standing
 * @returns {Answer}
 */
export function becoming(answer, standing) {
    return { ...answer, standing };
}
