#pragma once

#include <dynconf/claim.hpp>
#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/types.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace dynconf {

/// An election that was won: see `claim` for the guard of writes, the fencing token and the loss.
class leadership : public claim {
public:
    leadership() = default;

    /// Says another value, without a new election. errc::not_held when somebody else leads by now. Takes terminal cancellation.
    template <class Token = default_token>
    auto proclaim(std::string value, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [i = impl_, value = std::move(value)](detail::erased_handler<void> h) mutable {
                start_proclaim(i, std::move(value), std::move(h));
            });
    }

    /// Lets the next one lead; as `held_lock::unlock`.
    template <class Token = default_token>
    auto resign(Token&& token = {}) {
        return detail::initiate<void>(std::forward<Token>(token),
            [i = impl_](detail::erased_handler<void> h) { start_leave(i, std::move(h)); });
    }

private:
    friend class election;
    explicit leadership(std::shared_ptr<etcd::contender> i) noexcept : claim(std::move(i)) {}
    DYNCONF_API static void start_proclaim(std::shared_ptr<etcd::contender>, std::string, detail::erased_handler<void>);
};

/// Elects one of a cluster's clients, in the order in which they come, as `etcdctl elect` and Go's concurrency.Election do. What
/// `mutex` says of names and of `with_timeout` holds here too. A handle; safe to use from any thread.
class election : public detail::facet<election> {
public:
    DYNCONF_API election(const client& c, std::string name, claim_options options = {});

    /// Waits until this candidate leads, and says `value`. Fails and is cancelled as `mutex::lock` is.
    template <class Token = default_token>
    auto campaign(std::string value, Token&& token = {}) {
        return detail::initiate<leadership>(std::forward<Token>(token),
            [f = origin_, name = name_, value = std::move(value), o = options_](detail::erased_handler<leadership> h) mutable {
                start_campaign(f, std::move(name), std::move(value), o, std::move(h));
            });
    }

    /// The leader's key and value; none when nobody leads. Takes terminal and total cancellation.
    template <class Token = default_token>
    auto leader(Token&& token = {}) {
        return detail::initiate<std::optional<key_value>>(std::forward<Token>(token),
            [f = origin_, name = name_](detail::erased_handler<std::optional<key_value>> h) mutable {
                start_leader(f, std::move(name), std::move(h));
            });
    }

private:
    using origin = detail::call_origin;
    DYNCONF_API static void start_campaign(origin, std::string, std::string, claim_options, detail::erased_handler<leadership>);
    DYNCONF_API static void start_leader(origin, std::string, detail::erased_handler<std::optional<key_value>>);

    std::string name_;
    claim_options options_;
};

/// Who leads, and what it says, from now on. One next() at a time; otherwise safe to use from any thread. Destroying it with a
/// next() under way is safe. No `with_timeout`: it waits for as long as nothing changes; cancel it to wait no longer.
class leader_observer {
public:
    DYNCONF_API leader_observer(const client& c, std::string name);

    /// At first the present leader, then each change: of the leader, of its value, and to none. The latest one counts: what was
    /// over before it could be read is left out. Errors are retried but for those that a retry does not heal. Takes
    /// terminal and total cancellation; a later call goes on where the cancelled one was.
    template <class Token = default_token>
    auto next(Token&& token = {}) {
        return detail::initiate<std::optional<key_value>>(std::forward<Token>(token),
            [i = impl_](detail::erased_handler<std::optional<key_value>> h) { start_next(i, std::move(h)); });
    }

    struct impl;

private:
    DYNCONF_API static void start_next(std::shared_ptr<impl>, detail::erased_handler<std::optional<key_value>>);

    std::shared_ptr<impl> impl_;
};

}  // namespace dynconf
