/**
 * What a consumer gets, why, and what it would get next. Mirrors `policies/openclaw/src/resolve.rs`.
 */

import { INVALID, NOTHING } from "../sdk/precedence.js";
import * as apart from "./apart.js";
import * as client from "./client.js";
import { programFromName } from "./era.js";
import { credentialFromName } from "./credential.js";
import { Reader } from "./reader.js";
import * as server from "./server.js";
import * as tui from "./tui.js";

/** @typedef {import("../sdk/snapshot.js").Consumer} Consumer */
/** @typedef {import("../sdk/snapshot.js").Location} Location */
/** @typedef {import("./installation.js").Installation} Installation */

/**
 * A program that looks, and what it gets of each credential.
 *
 * @typedef {object} Resolver
 * @property {Reader} reader
 * @property {(credential: import("./credential.js").Credential) => import("./reader.js").Answer} answer
 */

const PROGRAMS = { gateway: server, tui, cli: client, probe: client, "node-host": client };

/**
 * What a consumer gets when it resolves its credential: what it uses, what it would use if that copy
 * vanished, its order in words, and whether it is a program that is known here.
 *
 * @typedef {object} Resolved
 * @property {import("../sdk/contract.d.ts").Standing} standing
 * @property {Location | null} next
 * @property {string} order
 * @property {boolean} known
 */

/**
 * Resolves a consumer's credential as the program would. A consumer that is no program of OpenClaw's
 * and has no attribute `program` gets nothing.
 *
 * @param {Installation} installation
 * @param {Map<string, Resolver>} resolvers Those of the programs that were asked for so far: a program
 *     that reads two credentials is two consumers.
 * @param {Consumer} consumer
 * @returns {Resolved}
 */
function resolve(installation, resolvers, consumer) {
    const { snapshot } = installation;
    const credential = credentialFromName(snapshot.credentialName(consumer.credential));
    const program = programOf(installation, consumer);
    if (program === null || credential === null) {
        const order = `${consumer.name} is no program of OpenClaw's`;
        return { standing: NOTHING, next: null, order, known: false };
    }
    const given = snapshot.consumerAttribute(consumer, "environment");
    const key = given === null ? program : `${program} ${given}`;
    let resolver = resolvers.get(key);
    if (resolver === undefined) {
        const reader = new Reader(installation, program, given);
        resolver = { reader, answer: PROGRAMS[program].resolver(reader) };
        resolvers.set(key, resolver);
    }
    const answer = resolver.answer(credential);
    return {
        standing: installation.isReadable ? answer.standing : INVALID,
        next: answer.next,
        order: inWords(resolver.reader, consumer, credential, answer.places),
        known: true,
    };
}

/**
 * Adds a verdict for every consumer: what it uses today, and the copy that `wanted` names for it, with
 * the reason.
 *
 * @param {Installation} installation
 * @param {import("../sdk/decision.js").Decision} decision
 * @param {(consumer: Consumer, resolved: Resolved) => [Location | null, string]} wanted
 */
export function judge(installation, decision, wanted) {
    /** @type {Map<string, Resolver>} */
    const resolvers = new Map();
    for (const consumer of installation.snapshot.consumers) {
        const resolved = resolve(installation, resolvers, consumer);
        /** @type {[Location | null, string]} */
        let said = [null, "left out"];
        const unreached = outOfReach(installation, consumer);
        if (unreached !== null) {
            said = [null, unreached];
        } else if (resolved.known) {
            said = wanted(consumer, resolved);
        } else {
            const message = `nothing is known of how ${consumer.name} reads its credential, so nothing is said of it`;
            decision
                .finding("warning", "consumer-unknown", message)
                .remedy(
                    "give the consumer the attribute `program`: gateway, cli, tui, probe or node-host",
                );
        }
        const [location, why] = said;
        decision.verdicts.push({
            consumer: consumer.id,
            today: resolved.standing,
            wanted: location === null ? null : location.id,
            reason: `${resolved.order}; ${why}`,
            next: resolved.next === null ? null : resolved.next.id,
        });
    }
    apart.find(installation, decision);
}

/**
 * Which of OpenClaw's programs a consumer is.
 *
 * @param {Installation} installation
 * @param {Consumer} consumer
 */
function programOf({ snapshot }, consumer) {
    return programFromName(snapshot.consumerAttribute(consumer, "program") ?? consumer.name);
}

/**
 * Why nothing here says which secret a program should get; none where something does.
 *
 * @param {Installation} installation
 * @param {Consumer} consumer
 * @returns {string | null}
 */
function outOfReach(installation, consumer) {
    const program = programOf(installation, consumer);
    if (program === "gateway" && installation.mode === "remote") {
        return "gateway.mode is remote: no gateway of this configuration runs";
    }
    const host = program === "node-host" ? installation.nodeConnectsTo() : null;
    return host === null ? null : `it connects to ${host}, which is another gateway`;
}

/**
 * What places are called, in the program's order. A place that hardly anybody uses is named where
 * something stands there.
 *
 * @param {Reader} reader
 * @param {Consumer} consumer
 * @param {import("./credential.js").Credential} credential
 * @param {import("./era.js").Place[]} places
 * @returns {string}
 */
function inWords(reader, consumer, credential, places) {
    const { mode, version, versionKnown } = reader.installation;
    const labels = [];
    for (const place of places) {
        const isRare = place === "call" || place === "legacy-env";
        const location = reader.at(credential, place);
        if (location !== null && (!isRare || reader.isSet(credential, place))) {
            labels.push(location.label);
        }
    }
    const inMode = mode === "remote" ? " in remote mode" : "";
    // Which release is meant matters: the orders differ.
    const name = versionKnown ? `${consumer.name} of ${version}` : consumer.name;
    return labels.length === 0
        ? `${name} looks nowhere${inMode}`
        : `${name}${inMode} reads ${labels.join(", then ")}`;
}
