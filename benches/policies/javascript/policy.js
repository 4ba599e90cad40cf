// The reference policy in JavaScript: the rules of `policies/rust`.
// @ts-check
import { Decision, policyOf, reading, sameSecret } from "./precedent.js";

/** The kinds of places that a program looks at, in its order. @type {Record<string, string[]>} */
const orders = {
  gateway: ["document", "environment"],
  cli: ["environment", "document", "dotenv"],
  tui: ["document", "dotenv", "environment"],
  probe: ["dotenv", "environment", "document"],
};
const others = ["unit", "environment", "document"];

export const policy = policyOf({
  name: "{{name}}",
  version: "0.1.0",

  decide(snapshot) {
    const decision = new Decision();
    /** @type {import("./precedent.js").Location[][]} */
    const copies = snapshot.credentials.map(() => []);
    for (const location of snapshot.locations) copies[location.credential]?.push(location);
    const truths = copies.map((places) =>
      places.find((place) => place.kind === "environment" && place.presence === "plain"),
    );
    for (const consumer of snapshot.consumers) {
      const places = copies[consumer.credential] ?? [];
      const order = orders[consumer.name] ?? others;
      const read = reading(order.flatMap((kind) => places.filter((place) => place.kind === kind)));
      const truth = truths[consumer.credential];
      const today = read.today.tag === "copy" ? snapshot.locations[read.today.val ?? 0] : undefined;
      let reason = `${consumer.name} finds no copy`;
      if (today) {
        reason = `${consumer.name} reads ${today.label}`;
        if (truth) reason += `; ${truth.label} is the source of truth`;
      }
      decision.verdict(consumer, read, truth, reason);
    }
    for (const [credential, truth] of truths.entries()) {
      if (!truth) continue;
      for (const copy of copies[credential] ?? []) {
        if (copy === truth || sameSecret(copy, truth)) continue;
        if (!decision.writeUnlessEqual(truth, copy, `${copy.label} follows ${truth.label}`)) {
          const message = `${copy.label} does not follow ${truth.label}`;
          decision.finding("warning", "left-alone", message, [copy]);
        }
      }
    }
    return decision;
  },
});
