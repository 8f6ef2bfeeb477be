#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/types.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace dynconf {

/// What became of a write that had a condition.
struct conditional_response {
    response_header header;
    bool succeeded = false;            ///< The condition held, and the write was executed at the header's revision.
    /// Where it did not hold: the key as it is at the header's revision; none when it does not exist.
    std::optional<key_value> current;

    explicit operator bool() const noexcept { return succeeded; }
};

struct move_options {
    bool replace = false;   ///< Whatever stands at the target. Otherwise an existing target is left alone.
};

struct move_response {
    enum class result : std::uint8_t {
        moved,
        unchanged,      ///< Both names are the same, and the key exists.
        no_source,      ///< The key to move does not exist.
        target_exists,  ///< And may not be replaced.
    };
    response_header header;
    result what = result::no_source;

    explicit operator bool() const noexcept { return what == result::moved || what == result::unchanged; }
};

/// Writes with a condition, each one transaction: nobody can come in between. A condition that does not hold is an answer,
/// not an error. A handle; safe to use from any thread. Cancellation, errors and `as_outcome` as for `kv`'s writes. A key that
/// exists keeps its lease unless `put_options::lease` names another one; to take it off its lease, put it by `kv`.
class conditional : public detail::facet<conditional> {
public:
    DYNCONF_API explicit conditional(const client& c);

    /// Puts a key that does not exist.
    template <class Token = default_token>
    auto create_if_absent(std::string key, std::string value, put_options options = {}, Token&& token = {}) {
        return commit(std::move(key), [&](const std::string& k) { return version_of(k) == 0; }, std::move(value), options, std::forward<Token>(token));
    }

    /// Puts a key that exists.
    template <class Token = default_token>
    auto update_if_exists(std::string key, std::string value, put_options options = {}, Token&& token = {}) {
        return commit(std::move(key), [&](const std::string& k) { return version_of(k) != 0; }, std::move(value), with_its_lease(options), std::forward<Token>(token));
    }

    /// Puts a key that has the expected value. A key that does not exist has none, not an empty one.
    template <class Token = default_token>
    auto compare_and_swap(std::string key, std::string expected, std::string value, put_options options = {}, Token&& token = {}) {
        return commit(std::move(key), [&](const std::string& k) { return value_of(k) == std::move(expected); }, std::move(value), with_its_lease(options), std::forward<Token>(token));
    }

    /// Puts a key that was last changed at the expected revision; 0: that does not exist.
    template <class Token = default_token>
    auto compare_and_swap(std::string key, revision_t expected_mod_revision, std::string value, put_options options = {}, Token&& token = {}) {
        if (expected_mod_revision != 0) options = with_its_lease(options);
        return commit(std::move(key), [&](const std::string& k) { return mod_revision_of(k) == expected_mod_revision; }, std::move(value), options, std::forward<Token>(token));
    }

    /// Deletes a key that was last changed at the expected revision.
    template <class Token = default_token>
    auto compare_and_delete(std::string key, revision_t expected_mod_revision, Token&& token = {}) {
        txn what = txn().if_(mod_revision_of(key) == expected_mod_revision).then(op::delete_range(key_range::key(key)));
        return commit(std::move(key), std::move(what), std::forward<Token>(token));
    }

    /// Gives a key another name, with its value and lease, in one transaction. Versions start over at 1. When somebody
    /// changes the key in the meantime it is read again, client_options::max_rounds times, then errc::contended.
    template <class Token = default_token>
    auto move_key(std::string from, std::string to, move_options options = {}, Token&& token = {}) {
        return detail::initiate_write<move_response>(std::forward<Token>(token),
            [o = origin_, from = std::move(from), to = std::move(to), options](detail::erased_handler<move_response> h) mutable {
                start_move(o, std::move(from), std::move(to), options, std::move(h));
            });
    }

private:
    using origin = detail::call_origin;

    /// For a put that is executed only where the key exists: etcd refuses it otherwise.
    static put_options with_its_lease(put_options o) noexcept {
        o.ignore_lease = o.ignore_lease || o.lease == 0;
        return o;
    }

    template <class Condition, class Token>
    auto commit(std::string key, Condition holds, std::string value, put_options options, Token&& token) {
        txn what = txn().if_(holds(key)).then(op::put(key, std::move(value), options));
        return commit(std::move(key), std::move(what), std::forward<Token>(token));
    }
    template <class Token>
    auto commit(std::string key, txn what, Token&& token) {
        return detail::initiate_write<conditional_response>(std::forward<Token>(token),
            [o = origin_, key = std::move(key), what = std::move(what)](detail::erased_handler<conditional_response> h) mutable {
                start_commit(o, std::move(key), std::move(what), std::move(h));
            });
    }

    DYNCONF_API static void start_commit(origin, std::string key, txn, detail::erased_handler<conditional_response>);
    DYNCONF_API static void start_move(origin, std::string from, std::string to, move_options, detail::erased_handler<move_response>);
};

struct update_options {
    unsigned max_tries = 16;   ///< When others change the key in the meantime.
    /// Of each call to etcd, as `with_timeout`; zero: client_options::total_timeout.
    std::chrono::milliseconds timeout{0};
};

/// Reads a key, lets `change` say what it shall be, and writes that if nobody has changed the key in the meantime; else
/// from the start, `update_options::max_tries` times, then errc::contended. `change` gets the key as
/// `const std::optional<key_value>&`, none when it does not exist, and returns a `std::optional<std::string>`, none to
/// leave the key as it is; it runs where the caller's coroutine runs, may be called several times, and what it throws
/// comes out. A key that exists keeps its lease. A write that may have been executed is not repeated: see
/// `exception::in_doubt`. Returns the key as it is afterwards.
template <class Change>
boost::asio::awaitable<std::optional<key_value>> update(client etcd, std::string key, Change change, update_options options = {}) {
    kv store(etcd);
    conditional writes(etcd);
    if (options.timeout.count() > 0) {
        store = store.with_timeout(options.timeout);
        writes = writes.with_timeout(options.timeout);
    }
    const key_range wanted = key_range::key(key);
    for (unsigned tries = 0; tries < options.max_tries; ++tries) {
        range_response found = co_await store.range(wanted);
        std::optional<key_value> before;
        if (!found.kvs.empty()) before = std::move(found.kvs.front());
        if (before && before->unreadable) throw exception(error{before->unreadable, key});
        std::optional<std::string> value = change(std::as_const(before));
        if (!value) co_return before;
        put_options how;
        how.ignore_lease = before.has_value();
        const revision_t seen = before ? before->mod_revision : 0;
        conditional_response answer = co_await writes.compare_and_swap(key, seen, *value, how);
        if (!answer.succeeded) continue;
        key_value after = before ? std::move(*before) : key_value();
        if (after.version++ == 0) after.create_revision = answer.header.revision;
        after.key = std::move(key);
        after.value = std::move(*value);
        after.mod_revision = answer.header.revision;
        co_return after;
    }
    throw exception(error{errc::contended, std::move(key)});
}

}  // namespace dynconf
