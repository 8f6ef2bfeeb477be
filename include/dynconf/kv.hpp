#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/guarded_kv.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace dynconf {

/// Keys and values. A handle; safe to use from any thread.
///
/// Every operation completes with `void(error_code, Response)`, or throws `exception` with the default token. Reads are
/// repeated on other endpoints within `client_options::total_timeout` (see `with_timeout`); they take `terminal` and `total`
/// cancellation. A write is repeated only when etcd surely did not execute it, and takes `terminal` cancellation. Whether a
/// write that failed or was cancelled may have been executed is in `error::in_doubt`; with `as_outcome` for a token it is in
/// the type.
class kv : public detail::facet<kv> {
public:
    DYNCONF_API explicit kv(const client& c);

    /// The keys of a range, linearizable unless the options say otherwise. A missing key is an empty answer, not an error.
    /// One request, whose answer may be large: `range_pages` is kinder to the server.
    template <class Token = default_token>
    auto range(key_range keys, range_options options = {}, Token&& token = {}) {
        return detail::initiate<range_response>(std::forward<Token>(token),
            [from = origin_, keys = std::move(keys), options](detail::erased_handler<range_response> h) mutable {
                start_range(from, std::move(keys), options, std::move(h));
            });
    }

    /// One key with its metadata, or none. `read` and `revision` of the options apply. Where its value cannot be
    /// opened (client::sealed) it fails with the code of key_value::unreadable.
    template <class Token = default_token>
    auto get(std::string key, range_options options = {}, Token&& token = {}) {
        return detail::initiate<std::optional<key_value>>(std::forward<Token>(token),
            [from = origin_, key = std::move(key), options](detail::erased_handler<std::optional<key_value>> h) mutable {
                start_get(from, std::move(key), options, std::move(h));
            });
    }

    /// How many keys a range has; none of them is transferred.
    template <class Token = default_token>
    auto count(key_range keys, range_options options = {}, Token&& token = {}) {
        return detail::initiate<std::int64_t>(std::forward<Token>(token),
            [from = origin_, keys = std::move(keys), options](detail::erased_handler<std::int64_t> h) mutable {
                start_count(from, std::move(keys), options, std::move(h));
            });
    }

    /// Whether a key exists.
    template <class Token = default_token>
    auto exists(std::string key, range_options options = {}, Token&& token = {}) {
        return detail::initiate<bool>(std::forward<Token>(token),
            [from = origin_, key = std::move(key), options](detail::erased_handler<bool> h) mutable {
                start_exists(from, std::move(key), options, std::move(h));
            });
    }

    /// All of a range, read in pages of `client_options::page_size` at one revision, which is the header's. `limit` bounds
    /// the whole. server_errc::compacted when that revision was compacted meanwhile: ask again.
    template <class Token = default_token>
    auto range_pages(key_range keys, range_options options = {}, Token&& token = {}) {
        return detail::initiate<range_response>(std::forward<Token>(token),
            [from = origin_, keys = std::move(keys), options](detail::erased_handler<range_response> h) mutable {
                start_range_pages(from, std::move(keys), options, std::move(h));
            });
    }

    /// Errors: server_errc::empty_key, key_not_found (with ignore_value or ignore_lease), lease_not_found, no_space...
    template <class Token = default_token>
    auto put(std::string key, std::string value, put_options options = {}, Token&& token = {}) {
        return detail::initiate_write<put_response>(std::forward<Token>(token),
            [from = origin_, key = std::move(key), value = std::move(value), options](detail::erased_handler<put_response> h) mutable {
                start_put(from, std::move(key), std::move(value), options, std::move(h));
            });
    }

    /// Deletes all keys of a range; how many there were is in the answer. A range of all keys, be it the prefix "", needs
    /// delete_options::everything, else errc::invalid_argument. In a view (client::within) these are all keys of the view.
    template <class Token = default_token>
    auto delete_range(key_range keys, delete_options options = {}, Token&& token = {}) {
        return detail::initiate_write<delete_response>(std::forward<Token>(token),
            [from = origin_, keys = std::move(keys), options](detail::erased_handler<delete_response> h) mutable {
                start_delete_range(from, std::move(keys), options, std::move(h));
            });
    }

    /// Executes a transaction. One without puts and deletes counts as a read, and is linearizable, also one that only compares.
    template <class Token = default_token>
    auto commit(txn what, Token&& token = {}) {
        return detail::initiate_write<txn_response>(std::forward<Token>(token),
            [from = origin_, what = std::move(what)](detail::erased_handler<txn_response> h) mutable {
                start_commit(from, std::move(what), std::move(h));
            });
    }

    /// Writes that etcd executes only as long as this lock or leadership is held. Throws std::invalid_argument for an empty
    /// handle.
    DYNCONF_API guarded_kv guarded_by(const claim& held) const;

private:
    using origin = detail::call_origin;
    DYNCONF_API static void start_range(origin, key_range, range_options, detail::erased_handler<range_response>);
    DYNCONF_API static void start_get(origin, std::string, range_options, detail::erased_handler<std::optional<key_value>>);
    DYNCONF_API static void start_count(origin, key_range, range_options, detail::erased_handler<std::int64_t>);
    DYNCONF_API static void start_exists(origin, std::string, range_options, detail::erased_handler<bool>);
    DYNCONF_API static void start_range_pages(origin, key_range, range_options, detail::erased_handler<range_response>);
    DYNCONF_API static void start_put(origin, std::string, std::string, put_options, detail::erased_handler<put_response>);
    DYNCONF_API static void start_delete_range(origin, key_range, delete_options, detail::erased_handler<delete_response>);
    DYNCONF_API static void start_commit(origin, txn, detail::erased_handler<txn_response>);
};

}  // namespace dynconf
