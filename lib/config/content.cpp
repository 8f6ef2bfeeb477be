#include "config/content.hpp"

#include "config/load_environment.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace dynconf::detail {

void content::refuse(outcome& out, std::string_view name, std::string_view key, error why, revision_t revision) const {
    rejection& r = out.rejected.emplace_back();
    r.name = name;
    r.key = key;
    r.reason = std::move(why);
    r.revision = revision;
}

void content::take(snapshot_editor& editor, outcome& out, std::string_view name, std::string_view key, const std::string* text,
                   revision_t revision) const {
    result<value> coerced = schema_.coerce(name, text ? std::optional<std::string_view>(*text) : std::nullopt);
    entry e;
    e.secret = schema_.is_secret(name);
    e.from.from = text ? origin::etcd : origin::defaults;
    e.from.mod_revision = text ? revision : 0;
    if (coerced) {
        e.content = std::move(*coerced);
        if (!text && e.content.is_null()) e.from.from = origin::none;   // no default either
        editor.set(name, std::move(e));
        return;
    }
    refuse(out, name, key, coerced.error(), revision);
    keep(editor, name);
}

void content::keep(snapshot_editor& editor, std::string_view name) const {
    if (editor.find(name)) return;   // the last good value stays
    // There was none: the default, or no value at all.
    std::optional<error> no_default_either;
    editor.set(name, default_entry(schema_, name, no_default_either));
}

void content::take_unreadable(snapshot_editor& editor, outcome& out, std::string_view name, const key_value& kv) const {
    refuse(out, name, kv.key, error{kv.unreadable, {}}, kv.mod_revision);
    keep(editor, name);
}

void content::commit(snapshot_editor editor, outcome& out, const snapshot& base, revision_t revision, origin from) {
    out.difference = editor.difference();
    out.next = std::move(editor).commit(revision, from, base.serial() + 1);
}

void content::load_into(snapshot_editor& editor, outcome& out, const snapshot& base, const std::vector<key_value>& all,
                        revision_t revision) {
    out.whole = true;
    std::unordered_set<std::string_view> mapped;   // views into schema_
    std::unordered_set<std::string> open;          // names that an open schema made up
    std::string scratch;
    for (const key_value& kv : all) {
        const auto name = schema_.name_of(kv.key, scratch);
        if (!name) continue;
        if (schema_.knows(*name)) mapped.insert(*name);
        else open.emplace(*name);
        if (kv.unreadable) take_unreadable(editor, out, *name, kv);
        else take(editor, out, *name, kv.key, &kv.value, kv.mod_revision);
    }
    for (const std::string& name : schema_.names()) {
        if (mapped.contains(name)) continue;
        const std::string* key = schema_.key_of(name);
        if (!key) {
            // etcd has nothing to say about it: as in local mode, and what was found there stays.
            if (const entry* had = editor.find(name); had && had->from.from == origin::environment) continue;
            entry e = environment_entry(schema_, name, look_up_, out.rejected);
            if (e.from.from != origin::environment) out.missing.push_back(name);
            editor.set(name, std::move(e));
            continue;
        }
        out.missing.push_back(name);
        take(editor, out, name, *key, nullptr, revision);
    }
    std::vector<std::string> gone;
    base.for_each([&](const std::string& name, const value&) {
        if (!schema_.knows(name) && !open.contains(name)) gone.push_back(name);
    });
    for (const std::string& name : gone) editor.erase(name);
}

void content::apply_to(snapshot_editor& editor, outcome& out, const std::vector<event>& events) const {
    std::string scratch;
    for (const event& e : events) {
        const auto name = schema_.name_of(e.kv.key, scratch);
        if (!name) continue;
        const bool erased = e.type == event::kind::erase;
        if (erased && !schema_.knows(*name)) editor.erase(*name);
        else if (e.kv.unreadable) take_unreadable(editor, out, *name, e.kv);
        else take(editor, out, *name, e.kv.key, erased ? nullptr : &e.kv.value, e.kv.mod_revision);
    }
}

content::outcome content::load(const snapshot& base, const std::vector<key_value>& all, revision_t revision) {
    outcome out;
    snapshot_editor editor(base, std::max(all.size(), schema_.names().size()));
    load_into(editor, out, base, all, revision);
    commit(std::move(editor), out, base, revision, origin::etcd);
    return out;
}

content::outcome content::apply(const snapshot& base, const std::vector<event>& events, revision_t revision) {
    outcome out;
    snapshot_editor editor(base);
    apply_to(editor, out, events);
    commit(std::move(editor), out, base, revision, origin::etcd);
    return out;
}

content::outcome content::restore(const snapshot& base, const std::vector<key_value>& good, const std::vector<event>& refused,
                                  revision_t revision) {
    outcome out;
    snapshot_editor editor(base, std::max(good.size(), schema_.names().size()));
    load_into(editor, out, base, good, revision);
    apply_to(editor, out, refused);
    commit(std::move(editor), out, base, revision, origin::disk);
    return out;
}

content::outcome content::confirm(const snapshot& base, revision_t revision) const {
    outcome out;
    commit(snapshot_editor(base), out, base, revision, origin::etcd);
    return out;
}

content::outcome content::load_local(const snapshot& base, const environment_lookup& look_up) {
    outcome out;
    out.whole = true;
    loaded_settings loaded = load_environment(schema_, look_up);
    snapshot_editor editor(base, loaded.entries.size());
    for (auto& [name, e] : loaded.entries) {
        if (e.from.from != origin::environment) out.missing.push_back(name);
        editor.set(name, std::move(e));
    }
    out.rejected = std::move(loaded.rejections);
    commit(std::move(editor), out, base, 0, origin::environment);
    return out;
}

}  // namespace dynconf::detail
