#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>
#include <dynconf/write_outcome.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dynconf {

struct bulk_options {
    /// What does not fit into one transaction is refused (server_errc::too_many_ops, request_too_large), or split into
    /// several of which each is atomic.
    bool split = false;
    std::size_t max_ops = 128;                    ///< Of one transaction: etcd's --max-txn-ops.
    /// Keys and values of one transaction, in bytes: etcd's --max-request-bytes (1.5 MiB) less its own additions.
    std::size_t max_bytes = std::size_t{1} << 20;
};

/// Some of the operations, executed as one transaction: all at one revision, or none.
struct bulk_part {
    std::size_t first = 0;                  ///< The place of its first operation among those that were given.
    std::size_t count = 0;
    write_state state = write_state::not_executed;
    response_header header;                 ///< Of the transaction, when it was executed.
    error why;                              ///< When it was not, or nobody knows. Without a code: it was not tried any more.
    std::vector<op_response> responses;     ///< One for each operation, when it was executed.
};

struct bulk_response {
    std::vector<bulk_part> parts;           ///< In order. After one that fails the rest is not tried.

    /// Every operation was executed.
    DYNCONF_API bool complete() const noexcept;
    /// All of it was one transaction.
    bool atomic() const noexcept { return parts.size() <= 1; }
    /// The part that operation `which` belongs to.
    DYNCONF_API const bulk_part& part_of(std::size_t which) const;
    /// The answer to operation `which`; null unless it was executed.
    DYNCONF_API const op_response* response_to(std::size_t which) const;
};

struct bulk_read_response {
    response_header header;                          ///< All were read at its revision.
    std::vector<std::optional<key_value>> items;     ///< In the order of the keys; none: no such key.
};

/// How many operations of all are done. Called on the client's strand after each part; must not throw.
using bulk_progress = std::function<void(std::size_t done, std::size_t of)>;

/// Many operations at a time. A handle; safe to use from any thread.
///
/// The operation itself fails only for what can be seen before anything is sent: too much for one transaction where it may
/// not be split, a key that is put twice, an empty key; the detail names it. What became of the parts is in the response.
/// Cancellation (terminal) ends it with the part that is under way.
class bulk : public detail::facet<bulk> {
public:
    DYNCONF_API explicit bulk(const client& c, bulk_options options = {});

    /// Puts, deletes and ranges in any mixture.
    template <class Token = default_token>
    auto execute(std::vector<op> ops, bulk_progress progress = {}, Token&& token = {}) {
        return detail::initiate<bulk_response>(std::forward<Token>(token),
            [from = origin_, o = options_, ops = std::move(ops), progress = std::move(progress)](detail::erased_handler<bulk_response> h) mutable {
                start_execute(from, o, std::move(ops), std::move(progress), std::move(h));
            });
    }

    /// Puts key and value pairs.
    template <class Token = default_token>
    auto put(const std::vector<std::pair<std::string, std::string>>& pairs, put_options how = {}, bulk_progress progress = {}, Token&& token = {}) {
        std::vector<op> ops;
        ops.reserve(pairs.size());
        for (const auto& [key, value] : pairs) ops.push_back(op::put(key, value, how));
        return execute(std::move(ops), std::move(progress), std::forward<Token>(token));
    }

    /// Deletes keys; one that does not exist is no error.
    template <class Token = default_token>
    auto delete_keys(const std::vector<std::string>& keys, delete_options how = {}, bulk_progress progress = {}, Token&& token = {}) {
        std::vector<op> ops;
        ops.reserve(keys.size());
        for (const std::string& key : keys) ops.push_back(op::delete_range(key_range::key(key), how));
        return execute(std::move(ops), std::move(progress), std::forward<Token>(token));
    }

    /// Reads keys at one revision, in as many requests as it takes. Fails as a whole; takes terminal and total cancellation.
    template <class Token = default_token>
    auto read(std::vector<std::string> keys, Token&& token = {}) {
        return detail::initiate<bulk_read_response>(std::forward<Token>(token),
            [from = origin_, o = options_, keys = std::move(keys)](detail::erased_handler<bulk_read_response> h) mutable {
                start_read(from, o, std::move(keys), std::move(h));
            });
    }

private:
    using origin = detail::call_origin;
    DYNCONF_API static void start_execute(origin, bulk_options, std::vector<op>, bulk_progress, detail::erased_handler<bulk_response>);
    DYNCONF_API static void start_read(origin, bulk_options, std::vector<std::string>, detail::erased_handler<bulk_read_response>);

    bulk_options options_;
};

}  // namespace dynconf
