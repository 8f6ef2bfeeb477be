#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/error.hpp>
#include <dynconf/foreign_format.hpp>
#include <dynconf/key_ring.hpp>
#include <dynconf/types.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace dynconf {

struct rotation_options {
    rotation_options() {}   // user-provided on purpose: g++ 12 copies aggregates bitwise in expressions with co_await

    /// Reads, opens and counts, and writes nothing.
    bool dry_run = false;
    /// Seals what is in the clear, too. False: it is counted and left alone.
    bool seal_plaintext = false;
    /// Other programs' formats: what one of them opens is sealed with the ring's key. Asked in this order, for values that
    /// are not sealed.
    std::vector<foreign_format> foreign = {};
    std::size_t batch = 32;        ///< Values in one transaction, 1 to 64.
    std::size_t per_second = 0;    ///< Values written in a second, at most; 0: as fast as etcd takes them.
};

/// A value that could not be brought under the ring's key, and why. The error quotes nothing of it.
struct rotation_problem {
    std::string key;
    error why;
};

/// What a rotation has found and done, or would do. Counts are of keys, as the first pass found them.
struct rotation_report {
    static constexpr std::size_t most_problems = 100;

    std::int64_t expected = 0;                       ///< Keys in the range when it began.
    std::int64_t keys = 0;                           ///< Looked at: the sum of the three below.
    std::map<std::string, std::int64_t> sealed;      ///< By the id of their key. "?" stands for a seal that tells none.
    std::map<std::string, std::int64_t> foreign;     ///< By the name of their format.
    std::int64_t plaintext = 0;                      ///< In the clear.

    std::int64_t to_rewrite = 0;   ///< Found in need of it, also those that came or changed later.
    std::int64_t rewritten = 0;    ///< Sealed again.
    std::int64_t overtaken = 0;    ///< A writer changed it meanwhile, and has sealed it with the ring's key himself.
    std::int64_t vanished = 0;     ///< Deleted meanwhile, or its lease has ended.

    std::int64_t unresolved = 0;               ///< Unreadable, too large, or changed by others each time it was tried.
    std::vector<rotation_problem> problems;    ///< The first `most_problems` of these, in key order.
    unsigned passes = 0;                       ///< Through the range; all but the first look only at what has changed since.
    revision_t as_of = 0;                      ///< etcd's revision that the last pass began at.
    bool settled = false;                      ///< The last pass found nothing to rewrite.

    /// Nothing sealed was left under another key than the ring's at `as_of`: the others can be dropped, if nobody writes
    /// with them any more. The same with `dry_run`. What is in the clear and was not to be sealed does not count.
    bool complete() const noexcept { return settled && unresolved == 0; }
};

/// Called after each step on the client's strand; must not block and must not throw.
using rotation_progress = std::function<void(const rotation_report& so_far)>;

/// Brings the values of a range under the key that a ring writes with, while others read and write them. A handle; safe to
/// use from any thread. Keys keep their leases and creation; each rewrite is a version more, with the same value to who
/// opens it.
///
/// A value is replaced only if nobody has changed it since it was read (mod_revision), so that no write is lost: one that was
/// changed is looked at again. What is sealed with the ring's key already is skipped, so a rotation that was interrupted
/// goes on by being run again. Passes are repeated until one finds nothing to do, for what writers with an older ring have
/// put behind it. Before it begins every process has to read with the new key: see `key_ring`.
class rotation : public detail::facet<rotation> {
public:
    /// Through `c`, whether it is sealed or not; keys are named as its view names them. `ask` is for keys that the ring does not
    /// have, each within `sealing_options::key_timeout` and as often as a sealed client would: its defaults hold.
    DYNCONF_API rotation(const client& c, key_ring keys, key_provider ask = {});

    /// What cannot be opened is counted and left alone. Fails with errc::invalid_argument for options that cannot work, or
    /// when etcd is out of reach for a call's time, or refuses it; what was rewritten by then stays so. Takes `terminal` and
    /// `total` cancellation, which does no harm either. A timeout is for each call to etcd.
    template <class Token = default_token>
    auto run(key_range range, rotation_options options = {}, rotation_progress progress = {}, Token&& token = {}) {
        return detail::initiate<rotation_report>(std::forward<Token>(token),
            [from = origin_, keys = keys_, ask = ask_, range = std::move(range), options = std::move(options),
             progress = std::move(progress)](detail::erased_handler<rotation_report> h) mutable {
                start_run(std::move(from), std::move(keys), std::move(ask), std::move(range), std::move(options), std::move(progress), std::move(h));
            });
    }

private:
    using origin = detail::call_origin;
    DYNCONF_API static void start_run(origin, key_ring, key_provider, key_range, rotation_options, rotation_progress,
                                      detail::erased_handler<rotation_report>);

    key_ring keys_;
    key_provider ask_;
};

}  // namespace dynconf
