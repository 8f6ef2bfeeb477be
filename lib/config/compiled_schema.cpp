#include "config/compiled_schema.hpp"

#include "wire/quote.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace dynconf::detail {
namespace {

error violation(std::string detail) { return {make_error_code(errc::schema_violation), std::move(detail)}; }

// What an override threw, as one line.
std::string words_of(const std::exception& e) { return wire::quote(e.what()); }

}  // namespace

result<compiled_schema> compiled_schema::compile(std::shared_ptr<const schema> from) {
    if (!from) return violation("no schema");
    compiled_schema made(std::move(from));
    try {
        if (auto built = made.build(); !built) return built.error();
    } catch (const std::exception& e) {
        return violation("the schema threw: " + words_of(e));
    } catch (...) {
        return violation("the schema threw");
    }
    return made;
}

result<void> compiled_schema::build() {
    const auto written = schema_->get_config_prefix();
    const auto keys = schema_->build_etcd_key_map();
    const auto variables = schema_->build_env_var_map();
    if (written.empty() && keys.empty() && variables.empty())
        return violation("the schema has no prefix and no settings");

    prefix_ = trimmed_prefix(written);
    const auto below = prefix_ + '/';
    if (!written.empty()) ranges_.push_back(key_range::prefix(below));

    for (const auto& [key, name] : keys) {
        if (key.empty()) return violation(name + ": empty etcd key");
        if (name.empty()) return violation(key + ": empty name");
        auto& made = settings_[name];
        if (!made.key.empty()) return violation(name + ": two etcd keys, " + made.key + " and " + key);
        made.key = key;
        by_key_.emplace(key, name);
        if (written.empty() || !key.starts_with(below)) ranges_.push_back(key_range::key(key));
    }
    for (const auto& [name, variable] : variables) {
        if (name.empty()) return violation(variable + ": empty name");
        if (variable.empty()) return violation(name + ": empty environment variable");
        settings_[name].env_var = variable;
    }
    names_.reserve(settings_.size());
    for (auto& [name, made] : settings_) {
        made.traits = schema_->traits(name);
        names_.push_back(name);
    }
    std::sort(names_.begin(), names_.end());
    return {};
}

std::optional<key_range> compiled_schema::watch_range() const {
    if (ranges_.empty()) return std::nullopt;
    auto all = ranges_.front();
    for (const auto& r : ranges_) all = key_range::cover(all, r);
    return all;
}

std::optional<std::string_view> compiled_schema::name_of(std::string_view etcd_key, std::string& scratch) const {
    if (const auto at = by_key_.find(etcd_key); at != by_key_.end()) return at->second;
    try {
        auto given = schema_->name_of(etcd_key);
        if (!given || given->empty() || knows(*given)) return std::nullopt;
        scratch = std::move(*given);
        return scratch;
    } catch (...) {
        return std::nullopt;  // a key that cannot be named is no setting
    }
}

const std::string* compiled_schema::key_of(std::string_view name) const noexcept {
    const auto at = settings_.find(name);
    return at == settings_.end() || at->second.key.empty() ? nullptr : &at->second.key;
}

const std::string* compiled_schema::env_var_of(std::string_view name) const noexcept {
    const auto at = settings_.find(name);
    return at == settings_.end() || at->second.env_var.empty() ? nullptr : &at->second.env_var;
}

setting_traits compiled_schema::traits(std::string_view name) const {
    if (const auto at = settings_.find(name); at != settings_.end()) return at->second.traits;
    try {
        return schema_->traits(name);
    } catch (...) {
        // Nobody can say whether it is secret, so it is.
        setting_traits unknown;
        unknown.secret = true;
        return unknown;
    }
}

bool compiled_schema::is_secret(std::string_view name) const {
    if (const auto at = settings_.find(name); at != settings_.end()) return at->second.traits.secret;
    return traits(name).secret;
}

result<value> compiled_schema::ask(std::string_view name, std::optional<std::string_view> text) const {
    try {
        return schema_->coerce_config_value(name, text ? value(*text) : value());
    } catch (const std::exception& e) {
        return violation(words_of(e));
    } catch (...) {
        return violation("the schema threw");
    }
}

result<value> compiled_schema::coerce(std::string_view name, std::optional<std::string_view> text) const {
    const auto at = settings_.find(name);
    auto made = ask(name, text);
    if (made) {
        if (made->is_null() && (at != settings_.end() ? at->second.traits.required : traits(name).required))
            return error{make_error_code(errc::required_missing), std::string(name)};
        return made;
    }
    auto why = made.error();
    const std::string prefix = std::string(name) + ": ";
    if (why.code != errc::required_missing) why.code = errc::schema_violation;
    if (const auto known = traits(name); known.secret && text) {
        // The schema's own words may quote the value.
        const auto words = known.expected.empty() ? "refused" : "expected " + known.expected;
        why.detail = prefix + words + " (the value is secret)";
    } else if (!why.detail.starts_with(name)) {
        why.detail = prefix + why.detail;
    }
    return why;
}

}  // namespace dynconf::detail
