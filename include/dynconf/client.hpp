#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/options.hpp>
#include <dynconf/sealing.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace dynconf {

namespace etcd { class client_core; class sealer; }
namespace detail { struct client_access; }

struct call_options {
    /// It may be executed twice, so it is repeated on other endpoints, and leaves no doubt behind. False: as a write.
    bool repeatable = false;
    /// Of the whole call; zero: client_options::total_timeout.
    std::chrono::milliseconds timeout{0};
};

/// The connection to one etcd cluster: endpoints, sessions, token. A handle; copies share the same core, and operations
/// under way keep it alive. Does nothing until a facet (`kv`, `watcher`, `maintenance`, `mirror`) asks for something, and
/// has no thread of its own: all its work runs on a strand of `executor`. Safe to use from any thread. As with Asio's own
/// objects, the context of `executor` has to outlive the client and all that was made of it.
///
/// Fork: with no thread running the io_context, call its notify_fork() before and after, as Asio wants it. Then exactly one
/// of the two processes may go on with the client and all that was made of it, parent or child: both hold the same
/// connections, and what one reads the other misses. The other one must neither run the io_context nor destroy these
/// objects while the first goes on (over TLS that would end its connections); `_exit` and `exec` are safe. A process
/// that needs a client on both sides makes a new one, with a new io_context, in one of them.
class client {
public:
    using executor_type = boost::asio::any_io_executor;

    /// Throws std::invalid_argument for options that cannot work; the message names the culprit.
    DYNCONF_API explicit client(executor_type executor, client_options options = {});

    DYNCONF_API executor_type get_executor() const noexcept;

    /// A view of the keys that begin with `prefix`: what is made of it names them without the prefix, and neither reads,
    /// writes nor sees any other key. It is the same connection, with the same token, watch stream and keep-alives; views
    /// nest, and cost a copy of a string. A prefix is bytes like any other: end it as your keys do, or "/shop" holds
    /// "/shop2" as well.
    ///
    ///     kv store(etcd.within("/shop/"));
    ///     co_await store.put("open", "yes");                          // the key /shop/open
    ///     co_await store.range(key_range::all());                     // all below /shop/; `from` ends there too
    ///     co_await store.delete_range(key_range::all(), everything);  // all below /shop/, and still has to be meant
    ///
    /// The empty key is the prefix itself. It holds for all that names keys: values and transactions, watches and mirrors,
    /// locks and elections (`etcdctl lock` knows them by the whole name), the keys of a lease, markers, registrations,
    /// searches, `etcd_source`, maintenance::key_count; in answers, events and errors keys are named as the view names
    /// them. A claim guards writes through whichever view. What is not about keys is not affected, namely `cluster`,
    /// `maintenance` (compaction, hashes, snapshots) and the ids of leases; nor is `auth`, whose permissions are for whole
    /// keys, nor `call`. A view keeps a program's parts apart; it is no permission: etcd's own are.
    DYNCONF_API client within(std::string_view prefix) const;
    /// What a view puts before its keys; empty: the keys are etcd's own.
    const std::string& prefix() const noexcept { return prefix_; }

    /// A view of the same keys whose values are sealed with the keys of a ring: what is made of it encrypts on the way out and
    /// decrypts on the way in, while etcd, its backups and who else reads it see `key_ring`'s sealed values only. Composes
    /// with `within`, in either order; of two the last counts. Keys, leases and revisions stay in the clear. What the
    /// provider answered is kept with the view and its copies, so make one and share it. Throws std::invalid_argument for
    /// options that cannot work.
    ///
    ///     client safe = etcd.sealed(keys);
    ///     co_await kv(safe).put("/app/password", "hunter2");
    ///
    /// It holds wherever values go: puts, transactions, bulk writes, reads, histories, watches with previous values, mirrors
    /// and what is configured from them, locks and elections, registrations. `move_key` seals for the new name.
    ///
    /// - A value that cannot be opened is an error of that item: it has `key_value::unreadable` and no value, and is logged;
    ///   the list or batch that it is in goes on. What gives one value alone, `kv::get`, `update`, `stm_view::get` and
    ///   `move_key`, fails with that code; a configuration keeps the last good value, and tells of a rejection.
    /// - A comparison of values compares what was sealed: the keys are read, and the transaction is executed only if none of
    ///   them has changed since; else from the start, up to 100 times, then errc::contended. It costs a read, and takes
    ///   one operation more of what etcd allows a transaction. An unreadable value in it is an error.
    /// - Sorting by value is refused, errc::invalid_argument: etcd would sort the encrypted bytes.
    /// - With `unsealed_policy::migrate` clear values that were read or watched are written again in the background, one at
    ///   a time, as long as their mod_revision is the same, with their leases. Watches see that as a put of the same value.
    /// - A value is longer at etcd by key_ring::overhead().
    /// - `call` and `maintenance` (snapshots, hashes) have etcd's own bytes.
    DYNCONF_API client sealed(key_ring keys, sealing_options options = {}) const;

    /// Any call of the gateway, for what no facet has: POSTs `json` to `path` ("/v3/...") with the client's token, endpoints
    /// and retries, and completes with the JSON of the answer as the server wrote it. What the server refuses is an error as
    /// everywhere; errc::invalid_argument for a path that is none. Not for streams that do not end, as /v3/watch. Takes
    /// `terminal` cancellation, and `as_outcome`.
    ///
    ///     std::string answer = co_await etcd.call("/v3/maintenance/transfer-leadership", R"({"targetID":"1"})");
    template <class Token = default_token>
    auto call(std::string path, std::string json, call_options options = {}, Token&& token = {}) {
        return detail::initiate_write<std::string>(std::forward<Token>(token),
            [c = core_, path = std::move(path), json = std::move(json), options](detail::erased_handler<std::string> h) mutable {
                start_call(c, std::move(path), std::move(json), options, std::move(h));
            });
    }

private:
    friend detail::client_access;
    DYNCONF_API static void start_call(std::shared_ptr<etcd::client_core>, std::string path, std::string json, call_options,
                                       detail::erased_handler<std::string>);

    executor_type executor_;
    std::shared_ptr<etcd::client_core> core_;
    std::string prefix_;
    std::shared_ptr<etcd::sealer> sealer_;
};

}  // namespace dynconf
