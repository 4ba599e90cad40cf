/** JSON Schema of the settings, the text of `policies/helm/src/settings.schema.json`. */
export const settingsSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Settings of the helm policy",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "persist": {
      "description": "What is kept on the volume: the token in both gateway.auth.token and gateway.remote.token; in gateway.remote.token only, a stale gateway.auth.token being removed; a reference to the variable in both, no plain text; or no plain copy at all.",
      "enum": ["both", "remote-only", "reference", "none"],
      "default": "both"
    }
  }
}
`;
