/** A ranking of locations: what wins, and what would win next. Mirrors `guest/src/precedence.rs`. */

/** @typedef {import("./snapshot.js").Location} Location */
/** @typedef {import("./contract.d.ts").Standing} Standing */

/** @type {Standing} */
export const NOTHING = { tag: "nothing" };
/** @type {Standing} */
export const GENERATED = { tag: "generated" };
/** @type {Standing} */
export const INVALID = { tag: "invalid" };

/**
 * Which references the program follows at a place.
 *
 * @typedef {"all" | "all-but-variables" | "none"} Follows
 */

/**
 * A place that a program looks at. At a reference that leads nowhere it fails, unless it skips what
 * is unresolved.
 *
 * @typedef {{ location: Location, follows: Follows, stopsAtUnresolved: boolean }} Ranked
 */

/**
 * @param {Ranked} ranked
 * @returns {boolean}
 */
function hasSecret({ location, follows }) {
    if (location.isPlain()) {
        return true;
    }
    switch (follows) {
        case "all":
            return location.isElsewhere() || location.fingerprint() !== null;
        case "all-but-variables":
            return location.isElsewhere();
        case "none":
            return false;
    }
}

/**
 * What a place comes to; none where the program goes on to the next.
 *
 * @param {Ranked} ranked
 * @returns {Standing | null}
 */
function standing(ranked) {
    const { location } = ranked;
    if (location.isUnset()) {
        return null;
    }
    if (location.isUnreadable()) {
        return INVALID;
    }
    if (hasSecret(ranked)) {
        return { tag: "copy", val: location.id };
    }
    return ranked.stopsAtUnresolved ? { tag: "unresolved", val: location.id } : null;
}

/**
 * Walks the places in order: what the reader gets, and what it would get if that place were empty. A
 * place that cannot be read makes the whole invalid: the reader would stop there.
 *
 * @param {Ranked[]} places
 * @returns {{ standing: Standing, next: Location | null }}
 */
export function walk(places) {
    /** @type {Standing | null} */
    let decided = null;
    for (const ranked of places) {
        const found = standing(ranked);
        if (found === null) {
            continue;
        }
        if (decided !== null) {
            return { standing: decided, next: hasSecret(ranked) ? ranked.location : null };
        }
        decided = found;
    }
    return { standing: decided ?? NOTHING, next: null };
}
