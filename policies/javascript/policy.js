/**
 * The helm policy: the Secret's variable `OPENCLAW_GATEWAY_TOKEN` is the source of truth; the copies on
 * the volume follow it at every start, or go, as the setting `persist` says.
 */

import { decide } from "./helm/decide.js";
import { settingsSchema } from "./helm/schema.js";
import { readSettings } from "./helm/settings.js";
import { component } from "./sdk/policy.js";

/** What the contract's world exports. */
export const policy = component({
    name: "helm",
    version: "0.1.0",
    settingsSchema,
    readSettings,
    decide,
});
