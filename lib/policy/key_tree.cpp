#include <dynconf/key_tree.hpp>

#include "wire/base64.hpp"

#include <nlohmann/json.hpp>

#include <string_view>

namespace dynconf {

namespace {

/// Calls `step(part)` for each part of a key, as long as it returns true. The last that there may be is all the rest, so that
/// different keys are never of the same parts.
template <class Step>
void for_each_part(std::string_view key, char separator, Step step) {
    std::size_t parts = 1;
    for (std::size_t begin = 0;; ++parts) {
        const std::size_t end = parts < key_tree::most_depth ? key.find(separator, begin) : std::string_view::npos;
        if (!step(key.substr(begin, end == std::string_view::npos ? end : end - begin)) || end == std::string_view::npos) return;
        begin = end + 1;
    }
}

bool is_text(const std::string& bytes) {
    try {
        (void)nlohmann::json(bytes).dump();
        return true;
    } catch (const nlohmann::json::type_error&) {
        return false;
    }
}

void set(nlohmann::json& to, const std::string& name, const std::string& bytes) {
    if (is_text(bytes)) to[name] = bytes;
    else to[name + "_base64"] = wire::to_base64(bytes);
}

}  // namespace

key_tree key_tree::of(std::span<const key_value> kvs, char separator) {
    key_tree root;
    for (const key_value& kv : kvs) {
        key_tree* node = &root;
        for_each_part(kv.key, separator, [&node](std::string_view part) {
            node = &node->children[std::string(part)];
            return true;
        });
        node->kv = kv;
    }
    return root;
}

const key_tree* key_tree::find(std::string_view key, char separator) const {
    const key_tree* node = this;
    for_each_part(key, separator, [&node](std::string_view part) {
        const auto child = node->children.find(std::string(part));
        node = child == node->children.end() ? nullptr : &child->second;
        return node != nullptr;
    });
    return node;
}

nlohmann::json key_tree::to_json() const {
    nlohmann::json out = nlohmann::json::object();
    if (kv) {
        set(out, "key", kv->key);
        set(out, "value", kv->value);
        out["mod_revision"] = kv->mod_revision;
        out["version"] = kv->version;
        if (kv->lease != 0) out["lease"] = kv->lease;
    }
    for (const auto& [name, child] : children) out["children"][is_text(name) ? name : "base64:" + wire::to_base64(name)] = child.to_json();
    return out;
}

}  // namespace dynconf
