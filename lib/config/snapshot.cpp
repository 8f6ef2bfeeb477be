#include <dynconf/config/snapshot.hpp>

#include "config/snapshot_data.hpp"

#include <algorithm>

namespace dynconf {

using detail::hashed_name;
using detail::stored_entry;

std::string_view to_string(origin from) noexcept {
    switch (from) {
        case origin::none: return "none";
        case origin::defaults: return "default";
        case origin::environment: return "environment";
        case origin::disk: return "disk";
        case origin::etcd: return "etcd";
    }
    return "unknown";
}

revision_t snapshot::revision() const noexcept { return data_ ? data_->revision : 0; }

origin snapshot::origin() const noexcept { return data_ ? data_->from : origin::none; }

std::uint64_t snapshot::serial() const noexcept { return data_ ? data_->serial : 0; }

std::size_t snapshot::size() const noexcept { return data_ ? data_->size : 0; }

const value* snapshot::find(std::string_view name) const noexcept {
    if (!data_) return nullptr;
    const auto* found = data_->find(hashed_name(name));
    return found ? &found->data.content : nullptr;
}

std::string snapshot::get_or(std::string_view name, std::string fallback) const {
    const auto* found = find(name);
    if (!found || found->is_null()) return fallback;
    if (const auto* text = found->if_string()) return *text;
    throw exception(named(name, detail::mismatch(*found, "text")));
}

config_map snapshot::all() const {
    config_map out;
    for_each([&](const std::string& name, const value& v) { out.emplace(name, v); });
    return out;
}

std::optional<provenance> snapshot::info(std::string_view name) const noexcept {
    if (!data_) return std::nullopt;
    const auto* found = data_->find(hashed_name(name));
    if (!found) return std::nullopt;
    provenance from = found->data.from;
    // Entries are shared with the snapshot that etcd confirms, so which it is stands with the snapshot.
    if (from.from == origin::etcd && data_->from == origin::disk) from.from = origin::disk;
    return from;
}

bool snapshot::is_secret(std::string_view name) const noexcept {
    if (!data_) return false;
    const auto* found = data_->find(hashed_name(name));
    return found && found->data.secret;
}

std::string snapshot::to_json_text(secrets show) const {
    std::vector<const stored_entry*> sorted;
    sorted.reserve(size());
    if (data_) data_->each([&](const stored_entry& e) { sorted.push_back(&e); });
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->name < b->name; });

    std::string out = "{";
    for (const auto* e : sorted) {
        if (out.size() > 1) out += ',';
        out += value(e->name).to_json_text();
        out += ':';
        // whether a secret is set at all may be seen
        const bool hide = e->data.secret && show == secrets::redact && !e->data.content.is_null();
        out += hide ? "\"****\"" : e->data.content.to_json_text();
    }
    return out += '}';
}

void snapshot::visit(void (*fn)(void*, const std::string&, const value&), void* context) const {
    if (data_) data_->each([&](const stored_entry& e) { fn(context, e.name, e.data.content); });
}

error snapshot::unknown(std::string_view name) { return {make_error_code(errc::unknown_name), std::string(name)}; }

error snapshot::unset(std::string_view name) { return {make_error_code(errc::required_missing), std::string(name)}; }

error snapshot::named(std::string_view name, const error& why) {
    return {why.code, std::string(name) + ": " + why.detail};
}

std::vector<std::string> changed_names(const snapshot& before, const snapshot& after) {
    static const detail::snapshot_data nothing;
    const auto& a = detail::snapshot_access::data(before);
    const auto& b = detail::snapshot_access::data(after);
    std::vector<std::string> names;
    detail::for_each_difference(a ? *a : nothing, b ? *b : nothing,
                                [&](const stored_entry* x, const stored_entry* y) {
                                    if (!x || !y) names.push_back((x ? x : y)->name);
                                    else if (!(x->data.content == y->data.content)) names.push_back(x->name);
                                    return true;
                                });
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace dynconf
