#pragma once

#include <dynconf/config/coercion.hpp>
#include <dynconf/config/constraint.hpp>
#include <dynconf/config/schema.hpp>
#include <dynconf/config/snapshot.hpp>
#include <dynconf/config/value.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace dynconf {

/// Where a declared setting comes from, and what else there is to say of it. The texts are copied.
struct setting_source {
    std::string_view etcd = {};         ///< Key below the prefix; with a '/' in front, absolute. Empty: not in etcd.
    std::string_view env = {};          ///< Environment variable. Empty: none.
    bool secret = false;                ///< See setting_traits. A member of the type `secret` always is.
    std::string_view description = {};  ///< See setting_traits.
};

/// What a declared schema does without knowing its struct.
class DYNCONF_API declared_schema_base : public schema {
public:
    std::string get_config_prefix() const override;
    name_map build_etcd_key_map() const override;
    name_map build_env_var_map() const override;
    /// The default for a null `raw` (null for a required setting); an undeclared name keeps `raw`.
    result<value> coerce_config_value(std::string_view name, value raw) const override;
    setting_traits traits(std::string_view name) const override;

    /// The declared names in the order of declaration.
    std::vector<std::string> names() const;

protected:
    struct declaration {
        std::string name;
        std::string key;
        std::string env_var;
        setting_traits traits;
        value fallback;
        std::function<result<value>(std::string_view text, quoting)> parse;
    };

    explicit declared_schema_base(std::string prefix);

    /// Throws std::invalid_argument, naming it, when the name is empty or taken, the key or variable is taken, or
    /// there is neither key nor variable.
    void declare(std::string name, const setting_source& where, declaration made);
    const std::vector<declaration>& declarations() const noexcept { return declarations_; }

    static error unset(const declaration& d);
    static error refused(const declaration& d, const error& why);

private:
    const declaration* find(std::string_view name) const noexcept;

    std::string prefix_;
    std::vector<declaration> declarations_;
    std::map<std::string, std::size_t, std::less<>> by_name_;
};

/// A schema made of declarations: which member of `Struct` comes from where, as what, with which default and rules.
/// Members may be anything that is `coercible` and `storable`. Declare everything before the schema is shared; from
/// then on it is constant and may be used from any thread.
template <class Struct> class declared_schema : public declared_schema_base {
public:
    /// Keys of declarations are below this prefix.
    explicit declared_schema(std::string prefix) : declared_schema_base(std::move(prefix)) {}

    /// A setting that has a default. Throws std::invalid_argument for a contradiction with earlier declarations, or
    /// when the default breaks a constraint.
    template <class T, class... Constraints>
    declared_schema& optional(std::string name, T Struct::*member, const setting_source& where,
                              std::type_identity_t<T> default_value, Constraints... constraints) {
        auto rules = all_of<T>(std::move(constraints)...);
        for (const auto& rule : rules)
            if (!rule.accepts(default_value))
                throw std::invalid_argument(name + ": the default is not " + rule.words());
        return add(std::move(name), member, where, value(std::move(default_value)), false, std::move(rules));
    }

    /// A setting that may have no value: an empty std::optional.
    template <class T, class... Constraints>
    declared_schema& optional(std::string name, std::optional<T> Struct::*member, const setting_source& where,
                              constraint<T> first, Constraints... constraints) {
        return add(std::move(name), member, where, value(), false,
                   lifted(all_of<T>(std::move(first), std::move(constraints)...)));
    }
    template <class T>
    declared_schema& optional(std::string name, std::optional<T> Struct::*member, const setting_source& where) {
        return add(std::move(name), member, where, value(), false, {});
    }

    /// A setting without which there is no configuration. Throws as `optional` does.
    template <class T, class... Constraints>
    declared_schema& required(std::string name, T Struct::*member, const setting_source& where,
                              Constraints... constraints) {
        return add(std::move(name), member, where, value(), true, all_of<T>(std::move(constraints)...));
    }

    /// The declared members from a snapshot; what the snapshot lacks gets its default. Errors name the setting:
    /// `required_missing`, `type_mismatch`, or `schema_violation` for a value that breaks a rule.
    result<Struct> bind(const snapshot& from) const {
        return bind_with([&](const std::string& name) { return from.find(name); });
    }
    result<Struct> bind(const config_map& from) const {
        return bind_with([&](const std::string& name) {
            const auto at = from.find(name);
            return at == from.end() ? nullptr : &at->second;
        });
    }

private:
    using setter = std::function<result<void>(Struct&, const value&)>;

    template <class T, class... Constraints>
    static std::vector<constraint<T>> all_of(Constraints... constraints) {
        std::vector<constraint<T>> rules;
        (rules.push_back(constraint<T>(std::move(constraints))), ...);
        return rules;
    }

    template <class T> static std::vector<constraint<std::optional<T>>> lifted(std::vector<constraint<T>> rules) {
        std::vector<constraint<std::optional<T>>> out;
        for (auto& rule : rules) {
            auto words = rule.words();
            out.emplace_back(std::move(words),
                             [rule = std::move(rule)](const std::optional<T>& v) { return !v || rule.accepts(*v); });
        }
        return out;
    }

    template <class T> static const constraint<T>* broken(const std::vector<constraint<T>>& rules, const T& candidate) {
        for (const auto& rule : rules)
            if (!rule.accepts(candidate)) return &rule;
        return nullptr;
    }

    template <class T>
    declared_schema& add(std::string name, T Struct::*member, const setting_source& where, value fallback,
                         bool required, std::vector<constraint<T>> rules) {
        static_assert(coercible<T>, "needs a coercion<T>");
        static_assert(storable<T>, "needs a value_traits<T>");
        declaration made;
        made.fallback = std::move(fallback);
        made.traits.required = required;
        made.traits.secret = std::is_same_v<T, secret> || std::is_same_v<T, std::optional<secret>>;
        made.traits.expected = coercion<T>::expected();
        for (const auto& rule : rules) made.traits.expected += ", " + rule.words();
        made.parse = [rules](std::string_view text, quoting quote) -> result<value> {
            auto coerced = coercion<T>::from(text, quote);
            if (!coerced) return coerced.error();
            if (const auto* rule = broken(rules, *coerced)) return detail::refusal(rule->words(), text, quote);
            return value(std::move(*coerced));
        };
        declare(std::move(name), where, std::move(made));
        setters_.push_back([member, rules = std::move(rules)](Struct& into, const value& v) -> result<void> {
            auto read = detail::read_as<T>(v);
            if (!read) return read.error();
            if (const auto* rule = broken(rules, *read))
                return error{errc::schema_violation, "expected " + rule->words()};
            into.*member = std::move(*read);
            return {};
        });
        return *this;
    }

    template <class Find> result<Struct> bind_with(const Find& find) const {
        Struct made{};
        for (std::size_t i = 0; i < setters_.size(); ++i) {
            const auto& d = declarations()[i];
            const value* v = find(d.name);
            if (!v || (v->is_null() && !d.fallback.is_null())) v = &d.fallback;
            if (v->is_null() && d.traits.required) return unset(d);
            if (auto set = setters_[i](made, *v); !set) return refused(d, set.error());
        }
        return made;
    }

    std::vector<setter> setters_;
};

}  // namespace dynconf
