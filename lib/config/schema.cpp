#include <dynconf/config/schema.hpp>

#include <stdexcept>

namespace dynconf {

schema::~schema() = default;

name_map schema::build_env_var_map() const { return {}; }

result<value> schema::coerce_config_value(std::string_view, value raw) const { return raw; }

setting_traits schema::traits(std::string_view) const { return {}; }

std::optional<std::string> schema::name_of(std::string_view) const { return std::nullopt; }

std::string trimmed_prefix(std::string_view prefix) {
    return std::string(prefix.substr(0, prefix.find_last_not_of('/') + 1));
}

prefix_schema::prefix_schema(std::string prefix) : below_(trimmed_prefix(prefix) + '/') {
    if (prefix.empty()) throw std::invalid_argument("prefix_schema: empty prefix; \"/\" takes every key below a slash");
}

std::string prefix_schema::get_config_prefix() const { return below_; }

name_map prefix_schema::build_etcd_key_map() const { return {}; }

std::optional<std::string> prefix_schema::name_of(std::string_view etcd_key) const {
    if (!etcd_key.starts_with(below_) || etcd_key.size() == below_.size()) return std::nullopt;
    return std::string(etcd_key.substr(below_.size()));
}

}  // namespace dynconf
