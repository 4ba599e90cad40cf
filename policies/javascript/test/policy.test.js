/** What the cases cannot see: what the policy says of itself, which settings it takes, and odd texts. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { versionInText } from "../openclaw/version.js";
import { policy } from "../policy.js";
import { Location } from "../sdk/snapshot.js";
import { reader } from "../sdk/spans.js";

/** @param {string} path */
const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");

test("it says of itself what the one in Rust says", () => {
    const about = policy.describe();
    assert.equal(about.name, "helm");
    assert.equal(about.version, /^version = "(.*)"$/m.exec(read("../../../Cargo.toml"))?.[1]);
    assert.equal(about.version, JSON.parse(read("../package.json")).version);
    assert.equal(about.settingsSchema, read("../../helm/src/settings.schema.json"));
});

test("settings are taken as serde takes them", () => {
    for (const settings of [
        "",
        " \u0085",
        "{}",
        "[]",
        '{"persist":"none"}',
        '{"p\\u0065rsist":"remote-only"}',
        '["reference"]',
        '{"persist":{"both":null}}',
    ]) {
        policy.validateSettings(settings);
    }
    for (const [settings, fault] of [
        ["{", /not JSON/],
        ["\ufeff{}", /not JSON/],
        ["null", /`persist`/],
        ['{"keep":1}', /`keep`, expected `persist`/],
        ['{"__proto__":1}', /`__proto__`, expected `persist`/],
        ['{"persist":"all"}', /`all` of `persist`, expected one of `both`/],
        ['{"persist":null}', /`persist`, expected one of `both`/],
        ['{"persist":{"both":1}}', /`persist`, expected one of `both`/],
        ['{"persist":{"both":null,"both":null}}', /duplicate/],
        ['{"persist":"both","persist":"both"}', /duplicate/],
        ['["both","both"]', /`persist`/],
        ['{"persist":"\\ud800"}', /`\ufffd` of `persist`/],
    ]) {
        assert.throws(
            () => policy.validateSettings(/** @type {string} */ (settings)),
            (faults) => Array.isArray(faults) && /** @type {RegExp} */ (fault).test(faults[0]),
            String(settings),
        );
    }
});

test("a version is read as Rust reads it", () => {
    for (const [text, version] of [
        ["OpenClaw Gateway (v2026.3.8)", "2026.3.8"],
        ["vv02026.09.6-beta.1", "2026.9.6"],
        ["x\u00852026.9.6", "2026.9.6"],
        ["x\ufeff2026.9.6", null],
        ["2026.9.65536", null],
        ["2026.13.1 2026.1.1", "2026.1.1"],
        ["2026.9.6.1", null],
        ["2026.9.1e1", null],
        ["2023.9.6", null],
    ]) {
        assert.equal(versionInText(String(text))?.toString() ?? null, version, String(text));
    }
});

test("a secret has expired once its time has come", () => {
    // The last is 2^64 - 1 as a component gets it.
    for (const [expires, isExpired] of [[null, false], [9, true], [10, true], [11, false], [-1, false]]) {
        const record = {
            name: { offset: 0, length: 17 },
            credential: 0,
            label: { offset: 17, length: 18 },
            presence: { tag: /** @type {const} */ ("plain"), val: 0 },
            expires: /** @type {number | null} */ (expires),
            writable: true,
        };
        const text = reader("config.auth-tokengateway.auth.token");
        const location = new Location(0, record, 10, text);
        assert.deepEqual([location.name, location.label], ["config.auth-token", "gateway.auth.token"]);
        assert.equal(location.isExpired(), isExpired, String(expires));
    }
});

test("spans count bytes of UTF-8", () => {
    const words = ["", "plain", "norð", "多", "🦀é", "end"];
    for (const many of [words, words.slice(0, 2)]) {
        const text = reader(many.join(""));
        let offset = 0;
        for (const word of many) {
            const length = new TextEncoder().encode(word).length;
            assert.equal(text({ offset, length }), word);
            offset += length;
        }
    }
});
