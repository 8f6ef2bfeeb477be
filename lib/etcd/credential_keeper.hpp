#pragma once

#include <dynconf/credentials.hpp>
#include <dynconf/error.hpp>

#include "etcd/spawn.hpp"
#include "policy/credential_state.hpp"
#include "transport/condition.hpp"
#include "transport/thread_places.hpp"

#include <optional>
#include <string>

namespace dynconf::detail {

class credentials_access {
public:
    static const auto& origin_of(const credentials_source& s) noexcept { return s.from_; }
    using variables = credentials_source::variables;
    using password_in_file = credentials_source::password_in_file;
    using coroutine = credentials_source::coroutine;

    /// None where they have to be asked for.
    static std::optional<credentials> fixed(const std::optional<credentials_source>& s) {
        const credentials* found = s ? std::get_if<credentials>(&s->from_) : nullptr;
        return found ? std::optional<credentials>(*found) : std::nullopt;
    }
};

}  // namespace dynconf::detail

namespace dynconf::etcd {

/// A client's credentials: what is known of them, and the way to whoever gives them. For coroutines on one strand.
class credential_keeper {
public:
    credential_keeper(strand on, const std::optional<credentials_source>& from)
        : state(detail::credentials_access::fixed(from)), strand_(std::move(on)), from_(from), answered_(strand_) {}

    /// Decides; who flies has to tell it how that went.
    policy::credential_state state;

    /// Bounded in time. Never fails in another way than with errc::credentials_unavailable.
    asio::awaitable<result<credentials>> ask();

    /// Takes what is known of a secret out of words that others wrote.
    void hide(std::string& words) const;

private:
    asio::awaitable<result<credentials>> ask(const detail::credentials_access::variables& where);
    asio::awaitable<result<credentials>> ask(const detail::credentials_access::password_in_file& where);
    asio::awaitable<result<credentials>> ask(const detail::credentials_access::coroutine& whom);

    strand strand_;
    std::optional<credentials_source> from_;
    transport::condition answered_;
    transport::thread_places readers_;
};

}  // namespace dynconf::etcd
