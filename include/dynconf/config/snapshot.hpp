#pragma once

#include <dynconf/config/coercion.hpp>
#include <dynconf/config/value.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace dynconf {

/// Where a value, or a snapshot as a whole, came from.
enum class origin : std::uint8_t {
    none,         ///< Nowhere yet: an empty snapshot.
    defaults,     ///< The schema's own default.
    environment,  ///< The process environment.
    disk,         ///< A copy of etcd's content that an earlier start left on disk.
    etcd,
};

/// "none", "default", "environment", "disk" or "etcd".
DYNCONF_API std::string_view to_string(origin from) noexcept;

/// Where one value came from.
struct provenance {
    origin from = origin::none;
    revision_t mod_revision = 0;  ///< etcd's revision of the last write; 0 when it is not from etcd.

    friend bool operator==(const provenance&, const provenance&) = default;
};

/// Whether a dump shows the values of secret settings or "****".
enum class secrets : bool { redact, reveal };

using config_map = std::map<std::string, value, std::less<>>;

namespace detail {

struct snapshot_data;
class snapshot_access;

/// The value as a T. Text that is not wanted as text goes through the one coercion path; a refusal becomes
/// `type_mismatch` and never quotes.
template <class T> result<T> read_as(const value& v) {
    if constexpr (coercible<T> && !std::is_same_v<T, std::string>) {
        if (const auto* text = v.if_string()) {
            auto coerced = coercion<T>::from(*text, quoting::hidden);
            if (!coerced) return error{errc::type_mismatch, "have text, " + coerced.error().detail};
            return coerced;
        }
    }
    return v.get<T>();
}

}  // namespace detail

/// The whole configuration at one moment: immutable, cheap to copy, safe to read from any thread without waiting.
/// Snapshots share what did not change between them.
class DYNCONF_API snapshot {
public:
    /// Empty, with origin none and revision 0.
    snapshot() noexcept = default;

    /// etcd's revision as of which this is true; 0 when it is not from etcd.
    revision_t revision() const noexcept;
    /// Where it was loaded from as a whole; `info` has the origin of each value.
    dynconf::origin origin() const noexcept;
    /// Counts publications of one manager: a later snapshot has a greater one. 0 for an empty snapshot.
    std::uint64_t serial() const noexcept;

    std::size_t size() const noexcept;
    bool empty() const noexcept { return size() == 0; }
    /// Whether the name is known, be its value null or not.
    bool contains(std::string_view name) const noexcept { return find(name) != nullptr; }

    /// Null when the name is not known. No allocation, no lock. Valid as long as a copy of this snapshot lives.
    const value* find(std::string_view name) const noexcept;

    /// The value as a T. Numbers and durations convert when nothing is lost, and text (all that an open schema has) is
    /// coerced on each call. Errors name the setting and never quote its value: `unknown_name`; `required_missing`
    /// when it has no value (an std::optional T reads that as empty); `type_mismatch`.
    template <class T> result<T> get(std::string_view name) const {
        const value* found = find(name);
        if (found && (detail::is_optional<T> || !found->is_null())) return read<T>(name, *found);
        return found ? unset(name) : unknown(name);
    }

    /// The value as a T, or `fallback` when the name is unknown or has no value. A value that is there but is no T
    /// throws dynconf::exception (`type_mismatch`): a fallback would hide it.
    template <class T>
        requires(!std::is_convertible_v<const T&, std::string_view>)
    T get_or(std::string_view name, T fallback) const {
        const value* found = find(name);
        if (!found || found->is_null()) return fallback;
        auto read = detail::read_as<T>(*found);
        if (!read) throw exception(named(name, read.error()));
        return std::move(*read);
    }
    std::string get_or(std::string_view name, std::string fallback) const;
    std::string get_or(std::string_view name, const char* fallback) const {
        return get_or(name, std::string(fallback));
    }
    std::string get_or(std::string_view name, std::string_view fallback) const {
        return get_or(name, std::string(fallback));
    }

    /// A copy of everything, nulls included.
    config_map all() const;

    /// Calls `fn(const std::string& name, const value&)` for each setting, in no order.
    template <class Fn> void for_each(Fn&& fn) const {
        using target = std::remove_reference_t<Fn>;
        visit([](void* f, const std::string& name, const value& v) { (*static_cast<target*>(f))(name, v); },
              const_cast<void*>(static_cast<const void*>(std::addressof(fn))));
    }

    /// Where the value came from; nothing for an unknown name.
    std::optional<provenance> info(std::string_view name) const noexcept;
    /// Whether the schema marks it as secret.
    bool is_secret(std::string_view name) const noexcept;

    /// One JSON object, names in order.
    std::string to_json_text(secrets show = secrets::redact) const;

    /// Whether both are the very same publication (not: have equal content).
    friend bool operator==(const snapshot&, const snapshot&) noexcept = default;

private:
    friend class detail::snapshot_access;
    explicit snapshot(std::shared_ptr<const detail::snapshot_data> data) noexcept : data_(std::move(data)) {}

    void visit(void (*fn)(void*, const std::string&, const value&), void* context) const;
    // Apart from get, so that all of its returns build the answer in place.
    template <class T> static result<T> read(std::string_view name, const value& v) {
        auto out = detail::read_as<T>(v);
        if (!out) out = named(name, out.error());
        return out;
    }
    static error unknown(std::string_view name);
    static error unset(std::string_view name);
    static error named(std::string_view name, const error& why);

    std::shared_ptr<const detail::snapshot_data> data_;
};

/// The names whose value differs or that only one of them has, in order. Where the values came from does not count.
/// The cost follows the change, not the size, when one snapshot was made from the other.
DYNCONF_API std::vector<std::string> changed_names(const snapshot& before, const snapshot& after);

}  // namespace dynconf
