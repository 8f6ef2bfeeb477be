#pragma once

#include <dynconf/config/value.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace dynconf {

/// Text to text, sorted.
using name_map = std::map<std::string, std::string, std::less<>>;

/// What is known of a setting beside its value.
struct setting_traits {
    bool required = false;    ///< Without a value the configuration is refused.
    bool secret = false;      ///< Its value is shown nowhere: no dump, no error, no log.
    std::string description;  ///< For people.
    std::string expected;     ///< A good value in words: "a whole number from 1 to 100".
};

/// Which etcd keys are settings, what they are called, and how their text becomes a value.
///
/// The manager calls these from `start()` and later from its strand, never from a constructor; get_values_by_keys() calls
/// them on the thread of its caller. A schema that is used with that, or shared by several managers, must allow concurrent
/// calls. Maps are asked for once for each start.
/// An override that throws, or answers with an error, refuses the value (`schema_violation`).
class DYNCONF_API schema {
public:
    virtual ~schema();

    /// The root of the settings. The range that is loaded and watched is every key below it, that is with this and one
    /// '/' in front: "/APPS/Unit" (or "/APPS/Unit/") never takes in "/APPS/Unit2". Empty: only the mapped keys.
    virtual std::string get_config_prefix() const = 0;

    /// Absolute etcd key -> name. Keys outside the prefix are loaded and watched too.
    virtual name_map build_etcd_key_map() const = 0;

    /// Name -> environment variable, for local mode and as a fallback. Default: none.
    virtual name_map build_env_var_map() const;

    /// From raw text to the value that is kept. `raw` is the text, or null when there is none: then the answer is the
    /// default, or null for "no value". Default: `raw` as it is.
    virtual result<value> coerce_config_value(std::string_view name, value raw) const;

    /// Default: optional, not secret, no words.
    virtual setting_traits traits(std::string_view name) const;

    /// Makes the schema open: the name of a key that the map does not have, or nothing for a key that is no setting.
    /// A name the maps use already is never given to such a key. Each key needs a name of its own: of two with one name the
    /// last that was written counts, and when either is deleted the setting is gone. Default: closed, always nothing.
    virtual std::optional<std::string> name_of(std::string_view etcd_key) const;

protected:
    schema() = default;
    schema(const schema&) = default;
    schema(schema&&) = default;
    schema& operator=(const schema&) = default;
    schema& operator=(schema&&) = default;
};

/// `prefix` without the slashes at its end, which is how prefixes are kept and compared. A slash in front is neither
/// added nor taken; "/" becomes empty.
DYNCONF_API std::string trimmed_prefix(std::string_view prefix);

/// An open schema: every key below a prefix is a setting, its value is text, and its name is the path below the
/// prefix: "/app/Db/Host" below "/app" is "Db/Host".
class DYNCONF_API prefix_schema : public schema {
public:
    /// "/" takes every key that begins with a slash. Throws std::invalid_argument for an empty prefix.
    explicit prefix_schema(std::string prefix);

    std::string get_config_prefix() const override;
    name_map build_etcd_key_map() const override;
    std::optional<std::string> name_of(std::string_view etcd_key) const override;

private:
    std::string below_;  // ends with '/'
};

}  // namespace dynconf
