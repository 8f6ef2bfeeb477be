#pragma once

#include <dynconf/config/schema.hpp>
#include <dynconf/config/settings.hpp>
#include <dynconf/config/snapshot.hpp>
#include <dynconf/config/values_by_keys.hpp>
#include <dynconf/detail/export.hpp>

#include <span>
#include <string>
#include <string_view>

namespace dynconf {

/// The 33 settings of ControlUnit, with the keys, names, variables and defaults of etcd-dynamic-config.
///
/// | setting | value | default |
/// |---|---|---|
/// | log_sql_echo, cleanup_start, use_fake_externals_discord, use_fake_externals_ai | bool | false |
/// | ai_categorization_debug, ai_recommendation_debug | bool | false |
/// | closed_statuses | list | empty |
/// | ai_http_timeout_seconds | number above 0 | 30.0 |
/// | ai_http_max_connections | whole number, at least 1 | 10 |
/// | ai_http_max_keepalive_connections | whole number, at least 0 | 5 |
/// | all others | text | none |
///
/// Unlike there, text that is not such a value is refused (`schema_violation`) rather than silently replaced by the
/// default; tokens, passwords and the DSN are secret; and no setting is required.
/// Derive from it to add settings (call the base in each override) or to move all of them (override get_config_prefix).
class DYNCONF_API control_unit_schema : public schema {
public:
    static constexpr std::string_view default_root = "/APPS/ControlUnit";

    /// The prefix is `from.config_root(default_root)`, fixed here.
    explicit control_unit_schema(const settings& from = settings::from_environment());

    std::string get_config_prefix() const override;
    name_map build_etcd_key_map() const override;
    name_map build_env_var_map() const override;
    result<value> coerce_config_value(std::string_view name, value raw) const override;
    setting_traits traits(std::string_view name) const override;

    /// The maps under the names that users of etcd-dynamic-config know.
    name_map get_etcd_key_map() const { return build_etcd_key_map(); }
    name_map get_env_var_map() const { return build_env_var_map(); }
    name_map get_control_unit_key_map() const { return build_etcd_key_map(); }

    /// The settings at absolute keys, from one snapshot: see dynconf::get_values_by_keys.
    config_map get_values_by_keys(const snapshot& from, std::span<const std::string> keys) const {
        return dynconf::get_values_by_keys(*this, from, keys);
    }

private:
    std::string prefix_;
};

/// etcd key -> name for these settings.
DYNCONF_API name_map get_control_unit_key_map(const settings& from = settings::from_environment());

}  // namespace dynconf
