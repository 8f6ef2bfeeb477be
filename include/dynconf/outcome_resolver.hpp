#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>
#include <dynconf/write_outcome.hpp>

#include <string>
#include <utility>

namespace dynconf {

/// A key that tells of one write whether it was executed: the write and its marker go into etcd together or not at all.
/// For one write only.
///
/// Markers stay in etcd until `outcome_resolver::forget`, or until their lease ends. With a lease, ask before it ends; then
/// neither markers nor fences pile up. The writer needs permission to read and write the prefix.
class marker {
public:
    /// A new one: its key is `prefix` and 32 random hexadecimal digits.
    DYNCONF_API explicit marker(std::string prefix, lease_id lease = 0);
    /// One made earlier, perhaps by a process that is gone, whose key and lease were kept.
    static marker known(std::string key, lease_id lease = 0) { return {std::move(key), lease, 0}; }

    const std::string& key() const noexcept { return key_; }
    lease_id lease() const noexcept { return lease_; }

private:
    marker(std::string key, lease_id lease, int) : key_(std::move(key)), lease_(lease) {}

    std::string key_;
    lease_id lease_;
};

/// A new value for a key that nobody has changed since it was read: compare-and-set by mod_revision. Needs no marker,
/// because the history of the key tells what became of it.
class guarded_put {
public:
    /// Throws std::invalid_argument for a key that does not exist (a write that is to create one needs a marker: after the
    /// next deletion its guard would hold again), and for ignore_value.
    DYNCONF_API guarded_put(const key_value& seen, std::string value, put_options options = {});

    const std::string& key() const noexcept { return key_; }
    const std::string& value() const noexcept { return value_; }
    const put_options& options() const noexcept { return options_; }
    revision_t expected_mod_revision() const noexcept { return expected_; }

private:
    std::string key_;
    std::string value_;
    put_options options_;
    revision_t expected_;
};

/// What became of a write after all.
struct resolution {
    write_state state = write_state::unknown;
    revision_t revision = 0;   ///< Where it was executed; otherwise 0.
};

/// Writes whose outcome can be found out later, when an answer was lost. A handle; safe to use from any thread. Operations
/// complete as those of `kv`, and take terminal cancellation.
///
///     marker proof("/myapp/markers/");
///     auto done = co_await resolver.commit(proof, what, as_outcome);
///     if (done.unknown()) {
///         resolution was = co_await resolver.resolve(proof);   // executed or not_executed
class outcome_resolver : public detail::facet<outcome_resolver> {
public:
    DYNCONF_API explicit outcome_resolver(const client& c);

    /// Executes `what` together with the marker, whichever of its branches is taken; the answer is that of `what`. It goes
    /// in as a transaction within one: two operations less than etcd's limit are left for it. errc::marker_taken, and
    /// nothing was executed: this marker had its write, or was fenced.
    template <class Token = default_token>
    auto commit(marker by, txn what, Token&& token = {}) {
        return detail::initiate_write<txn_response>(std::forward<Token>(token),
            [f = origin_, by = std::move(by), what = std::move(what)](detail::erased_handler<txn_response> h) mutable {
                start_marked(f, std::move(by), std::move(what), std::move(h));
            });
    }

    /// Executes a compare-and-set; `succeeded` in the answer says whether the guard held.
    template <class Token = default_token>
    auto commit(guarded_put what, Token&& token = {}) {
        return detail::initiate_write<txn_response>(std::forward<Token>(token),
            [f = origin_, what = std::move(what)](detail::erased_handler<txn_response> h) mutable {
                start_guarded(f, std::move(what), std::move(h));
            });
    }

    /// Was the write of this marker executed, and where? Never `unknown`: where the marker is missing, a fence is put in its
    /// place in the same step, and the write can no longer be executed when it arrives late. May be asked again at any
    /// time, also after an error or a cancellation. server_errc::lease_not_found: the marker's lease has ended, nobody
    /// can tell any more; the write will not be executed from now on.
    template <class Token = default_token>
    auto resolve(marker of, Token&& token = {}) {
        return detail::initiate<resolution>(std::forward<Token>(token),
            [f = origin_, of = std::move(of)](detail::erased_handler<resolution> h) mutable {
                start_resolve(f, std::move(of), std::move(h));
            });
    }

    /// Was this compare-and-set executed, and where? Only reads, and is therefore less sure than a marker:
    ///  - `unknown` while the guard still holds: the write may be on its way. To rule it out, change the key: even the same
    ///    value, put again, is a new mod_revision. Also `unknown` when the history was compacted that would tell.
    ///  - `executed` when the first change of the key since then was to this very value. Where others may write the same
    ///    bytes it may have been theirs; a value that names its writer, or a marker, tells them apart.
    ///  - `not_executed` when the first change was another: the guard will not hold again.
    template <class Token = default_token>
    auto resolve(guarded_put of, Token&& token = {}) {
        return detail::initiate<resolution>(std::forward<Token>(token),
            [f = origin_, of = std::move(of)](detail::erased_handler<resolution> h) mutable {
                start_resolve_guarded(f, std::move(of), std::move(h));
            });
    }

    /// Removes the marker of an executed write, about which nobody will ask again. A fence stays, because the write may
    /// still arrive: fences go away with their lease, or by a deletion of the prefix when no writer of that time is left.
    template <class Token = default_token>
    auto forget(marker which, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [f = origin_, which = std::move(which)](detail::erased_handler<void> h) mutable {
                start_forget(f, std::move(which), std::move(h));
            });
    }

private:
    using origin = detail::call_origin;
    DYNCONF_API static void start_marked(origin, marker, txn, detail::erased_handler<txn_response>);
    DYNCONF_API static void start_guarded(origin, guarded_put, detail::erased_handler<txn_response>);
    DYNCONF_API static void start_resolve(origin, marker, detail::erased_handler<resolution>);
    DYNCONF_API static void start_resolve_guarded(origin, guarded_put, detail::erased_handler<resolution>);
    DYNCONF_API static void start_forget(origin, marker, detail::erased_handler<void>);
};

}  // namespace dynconf
