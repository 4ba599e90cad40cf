// The contract's records, made pleasant: look-ups by name on the way in, numbers on the way out.
// The records themselves are described in wit/v1/policy.wit.
// @ts-check

/**
 * A place that can hold a copy, and what was seen there.
 * @typedef {object} Location
 * @property {number} id  what the decision names it by
 * @property {string} name  such as `env.api-key`
 * @property {number} credential  the credential that it can hold
 * @property {string} kind  such as `environment`, `document`, `dotenv`
 * @property {string} label  the place in the operator's words
 * @property {"absent"|"empty"|"placeholder"|"plain"|"reference"|"unreadable"} presence
 * @property {number | undefined} secret  equal numbers are equal secrets; also what a reference leads to
 * @property {{kind: string, target: string} | undefined} reference  where it points
 * @property {boolean} expired  whether the secret has stopped being valid
 * @property {boolean} writable  whether the host could write there
 * @property {Record<string, string>} attributes  more about it
 */

/**
 * A program that reads a credential.
 * @typedef {object} Consumer
 * @property {number} id  what the decision names it by
 * @property {string} name  such as `server`
 * @property {number} credential  the credential that it reads
 * @property {Record<string, string>} attributes  more about it
 */

/**
 * What a program gets: a copy, nothing, a reference that leads nowhere, or an error.
 * @typedef {{tag: string, val?: number}} Standing
 */

/** All that a policy knows. */
export class Snapshot {
  /** @param {any} record  the contract's record */
  constructor(record) {
    const text = reader(record.text);
    this.deployment = text(record.deployment);
    /** @type {"start"|"restart"|"check"|"repair"|"rotate"} */
    this.phase = record.phase;
    this.now = Number(record.now);
    /** @type {string[]} */
    this.credentials = record.credentials.map(text);
    /** @type {string} */
    this.settings = text(record.settings);
    const [ofLocations, ofConsumers] = [record.locationAttributes, record.consumerAttributes].map(
      (/** @type {any[]} */ list) => pairs(list, text),
    );
    /** @type {Location[]} */
    this.locations = record.locations.map((/** @type {any} */ location, /** @type {number} */ id) => {
      const { tag, val } = location.presence;
      return {
        ...location,
        id,
        name: text(location.name),
        label: text(location.label),
        presence: tag,
        secret: tag === "plain" ? val : tag === "reference" ? (val.resolved ?? undefined) : undefined,
        reference: tag === "reference" ? { ...val, target: text(val.target) } : undefined,
        expired: location.expires != null && isPast(Number(location.expires), this.now),
        attributes: ofLocations[id] ?? {},
      };
    });
    /** @type {Consumer[]} */
    this.consumers = record.consumers.map((/** @type {any} */ consumer, /** @type {number} */ id) => ({
      ...consumer,
      id,
      name: text(consumer.name),
      attributes: ofConsumers[id] ?? {},
    }));
    /** @type {Record<string, string>} */
    this.facts = Object.fromEntries(record.facts.map((/** @type {any} */ fact) => [text(fact.key), text(fact.value)]));
  }

  /** The location with this name. @param {string} name */
  location(name) {
    return this.locations.find((location) => location.name === name);
  }

  /** The locations of one credential. @param {number} credential */
  locationsOf(credential) {
    return this.locations.filter((location) => location.credential === credential);
  }
}

/**
 * Whether a time has come. One from 2^63 on, such as one that stands for never, is handed over below zero.
 * @param {number} time @param {number} now
 */
function isPast(time, now) {
  return time >= 0 && time <= now;
}

/** Whether both hold the same secret. @param {Location} a @param {Location} b */
export function sameSecret(a, b) {
  return a.secret !== undefined && a.secret === b.secret;
}

/**
 * What a program gets that looks at these places in turn, and the copy that would win next.
 * @param {(Location | undefined)[]} places
 * @returns {{today: Standing, next: Location | undefined}}
 */
export function reading(places) {
  /** @type {Standing | undefined} */
  let today;
  for (const place of places) {
    if (!place || ["absent", "empty", "placeholder"].includes(place.presence)) continue;
    // A reference to a file, a command or a store leads to a secret, but nobody says which.
    const elsewhere = place.reference && place.reference.kind !== "environment";
    const found = place.secret !== undefined || elsewhere;
    if (today) return { today, next: found ? place : undefined };
    if (place.presence === "unreadable") today = { tag: "invalid" };
    else today = { tag: found ? "copy" : "unresolved", val: place.id };
  }
  return { today: today ?? { tag: "nothing" }, next: undefined };
}

/** The decision as a policy builds it. */
export class Decision {
  /** @type {any[]} */
  verdicts = [];
  /** @type {any[]} */
  actions = [];
  /** @type {any[]} */
  findings = [];

  /**
   * Says what a consumer uses today, which copy should win, and why. One for every consumer.
   * @param {Consumer} consumer @param {{today: Standing, next?: Location}} read
   * @param {Location | undefined} wanted @param {string} reason
   */
  verdict(consumer, { today, next }, wanted, reason) {
    const [want, then] = [wanted?.id ?? null, next?.id ?? null];
    this.verdicts.push({ consumer: consumer.id, today, wanted: want, reason, next: then });
  }

  /**
   * Writes the secret at `from` into `to`, unless it is there already. A reference, a place that
   * could not be read and one that cannot be written are left alone.
   * @param {Location} from @param {Location} to @param {string} reason
   */
  writeUnlessEqual(from, to, reason) {
    const open = to.writable && to.presence !== "unreadable" && to.presence !== "reference";
    const wanted = from.presence === "plain" && !from.expired && from.id !== to.id && open;
    if (!wanted || sameSecret(from, to)) return false;
    this.act({ tag: "write", val: { from: from.id, to: to.id } }, reason);
    return true;
  }

  /** Adds an action. @param {{tag: string, val: any}} deed @param {string} reason */
  act(deed, reason) {
    this.actions.push({ deed, reason });
  }

  /**
   * Says what the operator should know: a stable word, and a sentence.
   * @param {"info"|"warning"|"error"} severity @param {string} code @param {string} message
   * @param {Location[]} locations @param {string | null} remedy
   */
  finding(severity, code, message, locations = [], remedy = null) {
    const ids = locations.map((location) => location.id);
    this.findings.push({ code, severity, message, remedy, locations: ids });
  }
}

/** Says no: do not start, do not restart. */
export class Refusal extends Error {
  /** @param {string} code @param {string} reason @param {string | null} remedy */
  constructor(code, reason, remedy = null) {
    super(reason);
    this.record = { code, reason, remedy, locations: [] };
  }
}

/**
 * Makes the exports of a policy. `settings` is the JSON Schema of what a deployment may set: its
 * `properties` are the keys that are known; `check` may look closer, and returns what is wrong.
 * @param {{name: string, version: string, settings?: {properties?: object},
 *   check?: (settings: any) => string[],
 *   decide: (snapshot: Snapshot, settings: any) => Decision}} policy
 */
export function policyOf({ name, version, settings = {}, check = () => [], decide }) {
  const schema = { type: "object", properties: {}, additionalProperties: false, ...settings };
  return {
    describe: () => ({ name, version, settingsSchema: JSON.stringify(schema) }),
    validateSettings(/** @type {string} */ text) {
      const given = JSON.parse(text || "{}");
      const known = Object.keys(schema.properties);
      const unknown = Object.keys(given).filter((key) => !known.includes(key));
      const expected = known.length ? `expected one of \`${known.join("`, `")}\`` : "there are none";
      const faults = unknown.map((key) => `unknown field \`${key}\`, ${expected}`);
      if (!faults.length) faults.push(...check(given));
      if (faults.length) throw faults;
    },
    decide(/** @type {any} */ record) {
      try {
        const snapshot = new Snapshot(record);
        const decision = decide(snapshot, JSON.parse(snapshot.settings || "{}"));
        if (!(decision instanceof Decision)) throw new TypeError("decide returned no Decision");
        return { ...decision };
      } catch (error) {
        throw error instanceof Refusal ? error.record : mistake(error).record;
      }
    },
  };
}

/** Says where the policy itself went wrong: of a crash the host learns nothing. @param {any} error */
function mistake(error) {
  const [where] = (error?.stack ?? "").trim().split("\n");
  const remedy = "mend the policy, then: precedent policy build";
  return new Refusal("policy-error", `${error} (${where.trim()})`, remedy);
}

/**
 * Attributes by the position of their owner.
 * @param {any[]} attributes @param {(span: any) => string} text
 */
function pairs(attributes, text) {
  /** @type {Record<string, string>[]} */
  const byOwner = [];
  for (const { owner, key, value } of attributes) {
    (byOwner[owner] ??= {})[text(key)] = text(value);
  }
  return byOwner;
}

/**
 * What reads a span: all strings of a snapshot are one text, of which spans count the bytes of UTF-8,
 * and a string of JavaScript counts units of UTF-16.
 * @param {string} text
 * @returns {(span: {offset: number, length: number}) => string}
 */
function reader(text) {
  // Of ASCII, as nearly all texts are, both counts are the same.
  if (/^[\x00-\x7f]*$/.test(text)) {
    return ({ offset, length }) => text.slice(offset, offset + length);
  }
  const units = new Map();
  let [bytes, unit] = [0, 0];
  for (const character of text) {
    units.set(bytes, unit);
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    unit += character.length;
  }
  units.set(bytes, unit);
  return ({ offset, length }) => text.slice(units.get(offset) ?? 0, units.get(offset + length) ?? 0);
}
