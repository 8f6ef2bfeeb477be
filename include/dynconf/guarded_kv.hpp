#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include <string>
#include <utility>

namespace dynconf {

class claim;

/// Writes that etcd executes only as long as a lock or a leadership is held: condition and write are one transaction. Made by
/// `kv::guarded_by`. A handle; safe to use from any thread; does not keep the claim.
///
///     co_await store.guarded_by(mine).put("/counter", "7");
///
/// Fails with errc::not_held, and etcd is left as it was, when the claim was lost or given up, whatever this process thinks.
/// Otherwise completes, and is cancelled, as the same write of `kv`.
class guarded_kv : public detail::facet<guarded_kv> {
public:
    template <class Token = default_token>
    auto put(std::string key, std::string value, put_options options = {}, Token&& token = {}) {
        return detail::initiate_write<put_response>(std::forward<Token>(token),
            [f = origin_, g = guard_, key = std::move(key), value = std::move(value), options](detail::erased_handler<put_response> h) mutable {
                start_put(std::move(f), std::move(g), std::move(key), std::move(value), options, std::move(h));
            });
    }

    template <class Token = default_token>
    auto delete_range(key_range keys, delete_options options = {}, Token&& token = {}) {
        return detail::initiate_write<delete_response>(std::forward<Token>(token),
            [f = origin_, g = guard_, keys = std::move(keys), options](detail::erased_handler<delete_response> h) mutable {
                start_delete_range(std::move(f), std::move(g), std::move(keys), options, std::move(h));
            });
    }

    /// `succeeded` in the answer is about the transaction's own conditions. It goes in as a transaction within one: one
    /// operation less than etcd's limit is left for it.
    template <class Token = default_token>
    auto commit(txn what, Token&& token = {}) {
        return detail::initiate_write<txn_response>(std::forward<Token>(token),
            [f = origin_, g = guard_, what = std::move(what)](detail::erased_handler<txn_response> h) mutable {
                start_commit(std::move(f), std::move(g), std::move(what), std::move(h));
            });
    }

private:
    friend class kv;
    using origin = detail::call_origin;
    struct guard {
        comparison held;
        std::string name;   // of the claim's key, for errors
    };

    DYNCONF_API guarded_kv(origin from, const claim& held);
    DYNCONF_API static void start_put(origin, guard, std::string, std::string, put_options, detail::erased_handler<put_response>);
    DYNCONF_API static void start_delete_range(origin, guard, key_range, delete_options, detail::erased_handler<delete_response>);
    DYNCONF_API static void start_commit(origin, guard, txn, detail::erased_handler<txn_response>);

    guard guard_;
};

}  // namespace dynconf
