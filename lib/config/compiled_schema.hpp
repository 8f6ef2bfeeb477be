#pragma once

#include <dynconf/config/schema.hpp>
#include <dynconf/config/value.hpp>
#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::detail {

struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>{}(s); }
};

/// A schema's maps, asked for once, checked, and indexed for the path that every event takes. Nothing here throws
/// because of what a user's override does. Constant; safe from any thread if the schema's own overrides are.
class compiled_schema {
public:
    /// `schema_violation` that names the contradiction: two keys for one name, an empty key, name or variable, nothing
    /// to load at all, or an override that throws.
    static result<compiled_schema> compile(std::shared_ptr<const schema> from);

    const schema& source() const noexcept { return *schema_; }

    /// Without a slash at its end.
    const std::string& prefix() const noexcept { return prefix_; }
    /// What to load: everything below the prefix, then the single keys outside it. Never empty unless every setting
    /// comes from the environment alone.
    const std::vector<key_range>& ranges() const noexcept { return ranges_; }
    /// The smallest range that covers `ranges()`; a watch on it also sees keys that are no settings.
    /// Nothing when there is nothing to load.
    std::optional<key_range> watch_range() const;

    /// Every name of both maps, in order. Names that an open schema gives are not among them.
    const std::vector<std::string>& names() const noexcept { return names_; }
    bool knows(std::string_view name) const noexcept { return settings_.contains(name); }

    /// The name of an etcd key, or nothing when it is no setting. `scratch` holds it when an open schema made it up;
    /// for mapped keys nothing is allocated.
    std::optional<std::string_view> name_of(std::string_view etcd_key, std::string& scratch) const;

    /// The etcd key or environment variable of a mapped name; null when it has none.
    const std::string* key_of(std::string_view name) const noexcept;
    const std::string* env_var_of(std::string_view name) const noexcept;

    /// Asked once for mapped names, each time for others.
    setting_traits traits(std::string_view name) const;
    bool is_secret(std::string_view name) const;

    /// Text, or the lack of it, to a value. Refusals are `schema_violation`, and `required_missing` when a required
    /// setting comes out null; the detail begins with the name and never quotes a secret.
    result<value> coerce(std::string_view name, std::optional<std::string_view> text) const;

private:
    struct setting {
        std::string key;
        std::string env_var;
        setting_traits traits;
    };

    explicit compiled_schema(std::shared_ptr<const schema> from) : schema_(std::move(from)) {}
    result<void> build();
    result<value> ask(std::string_view name, std::optional<std::string_view> text) const;

    std::shared_ptr<const schema> schema_;
    std::string prefix_;
    std::vector<key_range> ranges_;
    std::vector<std::string> names_;
    boost::unordered_flat_map<std::string, std::string, text_hash, std::equal_to<>> by_key_;
    boost::unordered_flat_map<std::string, setting, text_hash, std::equal_to<>> settings_;
};

}  // namespace dynconf::detail
