#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/options.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace dynconf {

namespace etcd { class client_core; }
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
};

}  // namespace dynconf
