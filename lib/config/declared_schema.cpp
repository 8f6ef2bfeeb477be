#include <dynconf/config/declared_schema.hpp>

#include <stdexcept>

namespace dynconf {

declared_schema_base::declared_schema_base(std::string prefix) : prefix_(trimmed_prefix(prefix)) {}

std::string declared_schema_base::get_config_prefix() const { return prefix_; }

name_map declared_schema_base::build_etcd_key_map() const {
    name_map keys;
    for (const auto& d : declarations_)
        if (!d.key.empty()) keys.emplace(d.key, d.name);
    return keys;
}

name_map declared_schema_base::build_env_var_map() const {
    name_map variables;
    for (const auto& d : declarations_)
        if (!d.env_var.empty()) variables.emplace(d.name, d.env_var);
    return variables;
}

result<value> declared_schema_base::coerce_config_value(std::string_view name, value raw) const {
    const auto* d = find(name);
    if (!d) return raw;
    if (raw.is_null()) return d->fallback;
    const auto text = raw.get<std::string_view>();
    if (!text) return refused(*d, text.error());
    auto coerced = d->parse(*text, d->traits.secret ? quoting::hidden : quoting::shown);
    if (!coerced) return refused(*d, coerced.error());
    return coerced;
}

setting_traits declared_schema_base::traits(std::string_view name) const {
    const auto* d = find(name);
    return d ? d->traits : setting_traits{};
}

std::vector<std::string> declared_schema_base::names() const {
    std::vector<std::string> out;
    out.reserve(declarations_.size());
    for (const auto& d : declarations_) out.push_back(d.name);
    return out;
}

void declared_schema_base::declare(std::string name, const setting_source& where, declaration made) {
    if (name.empty()) throw std::invalid_argument("a declared setting has no name");
    if (where.etcd.empty() && where.env.empty())
        throw std::invalid_argument(name + ": neither an etcd key nor an environment variable");
    if (!where.etcd.empty())
        made.key = where.etcd.front() == '/' ? std::string(where.etcd) : prefix_ + '/' + std::string(where.etcd);
    made.env_var = where.env;
    made.traits.secret = made.traits.secret || where.secret;
    made.traits.description = where.description;
    if (by_name_.contains(name)) throw std::invalid_argument(name + ": declared twice");
    for (const auto& d : declarations_) {
        if (!made.key.empty() && d.key == made.key)
            throw std::invalid_argument(name + ": the key " + made.key + " belongs to " + d.name);
        if (!made.env_var.empty() && d.env_var == made.env_var)
            throw std::invalid_argument(name + ": the variable " + made.env_var + " belongs to " + d.name);
    }
    made.name = name;
    declarations_.push_back(std::move(made));
    by_name_.emplace(std::move(name), declarations_.size() - 1);
}

error declared_schema_base::unset(const declaration& d) {
    return {make_error_code(errc::required_missing), d.name};
}

error declared_schema_base::refused(const declaration& d, const error& why) {
    return {why.code, d.name + ": " + why.detail};
}

const declared_schema_base::declaration* declared_schema_base::find(std::string_view name) const noexcept {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : &declarations_[at->second];
}

}  // namespace dynconf
