/**
 * The gateway's credentials and how clients authenticate by them. Mirrors the first half of
 * `policies/openclaw/src/installation.rs`.
 */

/**
 * How clients authenticate; `other` is `none`, or a mode of a later version.
 *
 * @typedef {"token" | "password" | "trusted-proxy" | "other"} AuthMode
 */

/**
 * One of the gateway's two credentials: its word, its name in the preset, its variable, and the
 * locations of its places.
 *
 * @typedef {object} Credential
 * @property {"token" | "password"} word
 * @property {string} name
 * @property {string} key
 * @property {Record<import("./era.js").Place, string>} at
 */

/** @type {Credential} */
export const TOKEN = credential("token", "OPENCLAW_GATEWAY_TOKEN");
/** @type {Credential} */
export const PASSWORD = credential("password", "OPENCLAW_GATEWAY_PASSWORD");

/**
 * @param {"token" | "password"} word
 * @param {string} key
 * @returns {Credential}
 */
function credential(word, key) {
    const name = `gateway-${word}`;
    const at = {
        call: `call.${name}`,
        env: `env.${name}`,
        "legacy-env": `legacy-env.${name}`,
        auth: `config.auth-${word}`,
        remote: `config.remote-${word}`,
    };
    return { word, name, key, at };
}

/**
 * The credential by its name in the preset.
 *
 * @param {string} name
 * @returns {Credential | null}
 */
export function credentialFromName(name) {
    return [TOKEN, PASSWORD].find((credential) => credential.name === name) ?? null;
}

/**
 * The other one.
 *
 * @param {Credential} credential
 * @returns {Credential}
 */
export function other(credential) {
    return credential === TOKEN ? PASSWORD : TOKEN;
}

/**
 * The mode by its name in the configuration.
 *
 * @param {string} name
 * @returns {AuthMode}
 */
export function authModeFromName(name) {
    switch (name) {
        case "token":
        case "password":
        case "trusted-proxy":
            return name;
        default:
            return "other";
    }
}
