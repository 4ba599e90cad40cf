#!/bin/sh
# What the init step of the Helm chart does, written anew from its recorded behaviour: the
# configuration is copied where there is none, and a token in the environment goes into both keys.
set -e
config=$HOME/.openclaw/openclaw.json
[ -f "$config" ] || cp "$HOME/configmap/openclaw.json" "$config"
if [ -n "$OPENCLAW_GATEWAY_TOKEN" ]; then
  node -e '
    const fs = require("fs");
    const file = process.argv[1];
    const config = JSON.parse(fs.readFileSync(file, "utf8"));
    config.gateway ??= {};
    for (const key of ["auth", "remote"]) {
      config.gateway[key] ??= {};
      config.gateway[key].token = process.env.OPENCLAW_GATEWAY_TOKEN;
    }
    fs.writeFileSync(file, JSON.stringify(config, null, 2));
  ' "$config"
fi
