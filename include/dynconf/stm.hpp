#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace dynconf {

/// What a body that runs in `stm` sees of etcd: every key at one revision, and its own writes. For the body's coroutine only.
class stm_view {
public:
    explicit stm_view(kv store) : store_(std::move(store)) {}
    stm_view(const stm_view&) = delete;
    stm_view& operator=(const stm_view&) = delete;

    /// The value of a key, or none. Each key is read once.
    DYNCONF_API boost::asio::awaitable<std::optional<std::string>> get(std::string key);
    /// Is executed when the body has ended. A key that exists, and that the body has read, keeps its lease unless
    /// `put_options::lease` names another one; one that was not read is put as by `kv`.
    DYNCONF_API void put(std::string key, std::string value, put_options options = {});
    DYNCONF_API void erase(std::string key);

    /// What the body wants, if nothing that it has read or writes was changed since. For `stm`, and to look at.
    DYNCONF_API txn transaction() const;

private:
    struct write {
        std::optional<std::string> value;   // none: erased
        put_options options;
    };

    kv store_;
    revision_t revision_ = 0;   // of all reads; 0: none yet
    std::map<std::string, std::optional<key_value>> read_;
    std::map<std::string, write> written_;
};

struct stm_options {
    unsigned max_tries = 16;   ///< When others change in the meantime what the body read or writes.
    /// Of each call to etcd, as `with_timeout`; zero: client_options::total_timeout.
    std::chrono::milliseconds timeout{0};
};

using stm_body = std::function<boost::asio::awaitable<void>(stm_view&)>;

/// Runs `body` so that it seems to be alone: its reads are of one revision, its writes are one transaction, executed only if
/// nobody has changed since what it read or writes. Else it is run again, at most `stm_options::max_tries` times, then
/// errc::contended. What the body throws comes out, and nothing is written. A write that may have been executed is not
/// repeated: see `exception::in_doubt`. Returns the revision of the write, or of the reads where it writes nothing (0: it
/// did neither).
DYNCONF_API boost::asio::awaitable<revision_t> stm(client etcd, stm_body body, stm_options options = {});

}  // namespace dynconf
