#pragma once

#include <dynconf/client.hpp>
#include <dynconf/cluster_types.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/types.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace dynconf {

struct member_list_options {
    /// The list as the whole cluster has it: fails without a quorum. False: as the member that answers has it, which is all
    /// that etcd 3.4 can say.
    bool linearizable = true;
};

/// The members of a cluster. A handle; safe to use from any thread.
///
/// Changes are repeated only when etcd surely did not execute them; they take `terminal` cancellation and `as_outcome`.
/// While authentication is on they need a user with the role "root". The client goes on with the endpoints that it has,
/// whatever happens to their members; see also `client_options::discovery`.
class cluster : public detail::facet<cluster> {
public:
    DYNCONF_API explicit cluster(const client& c);

    /// Takes terminal and total cancellation.
    template <class Token = default_token>
    auto member_list(member_list_options options = {}, Token&& token = {}) {
        return detail::initiate<member_list_response>(std::forward<Token>(token),
            [from = origin_, options](detail::erased_handler<member_list_response> h) { start_member_list(from, options, std::move(h)); });
    }

    /// A member to be: start it with these peer URLs and `--initial-cluster-state=existing`. It counts for the quorum at
    /// once: the second member of a cluster of one stops it until it is started. server_errc::peer_url_exists,
    /// member_bad_urls, member_not_enough_started, unhealthy.
    template <class Token = default_token>
    auto member_add(std::vector<std::string> peer_urls, Token&& token = {}) {
        return detail::initiate_write<member_add_response>(std::forward<Token>(token),
            [from = origin_, urls = std::move(peer_urls)](detail::erased_handler<member_add_response> h) mutable {
                start_member_add(from, std::move(urls), false, std::move(h));
            });
    }

    /// The same without a vote, until it is promoted. server_errc::too_many_learners.
    template <class Token = default_token>
    auto member_add_as_learner(std::vector<std::string> peer_urls, Token&& token = {}) {
        return detail::initiate_write<member_add_response>(std::forward<Token>(token),
            [from = origin_, urls = std::move(peer_urls)](detail::erased_handler<member_add_response> h) mutable {
                start_member_add(from, std::move(urls), true, std::move(h));
            });
    }

    /// Answers with the members that are left. server_errc::member_not_found, member_not_enough_started, unhealthy.
    template <class Token = default_token>
    auto member_remove(std::uint64_t id, Token&& token = {}) {
        return detail::initiate_write<member_list_response>(std::forward<Token>(token),
            [from = origin_, id](detail::erased_handler<member_list_response> h) { start_member_remove(from, id, std::move(h)); });
    }

    /// Gives a learner its vote. server_errc::learner_not_ready while it lags behind the leader: ask again later;
    /// member_not_learner. Both leave a doubt: a member that is no leader passes the call on until it has an answer, and may
    /// tell what became of the second one. server_errc::member_not_found.
    template <class Token = default_token>
    auto member_promote(std::uint64_t id, Token&& token = {}) {
        return detail::initiate_write<member_list_response>(std::forward<Token>(token),
            [from = origin_, id](detail::erased_handler<member_list_response> h) { start_member_promote(from, id, std::move(h)); });
    }

    /// New peer URLs for a member, in place of all it has. server_errc::member_not_found, peer_url_exists, member_bad_urls.
    template <class Token = default_token>
    auto member_update(std::uint64_t id, std::vector<std::string> peer_urls, Token&& token = {}) {
        return detail::initiate_write<member_list_response>(std::forward<Token>(token),
            [from = origin_, id, urls = std::move(peer_urls)](detail::erased_handler<member_list_response> h) mutable {
                start_member_update(from, id, std::move(urls), std::move(h));
            });
    }

private:
    using origin = detail::call_origin;
    using urls = std::vector<std::string>;
    DYNCONF_API static void start_member_list(origin, member_list_options, detail::erased_handler<member_list_response>);
    DYNCONF_API static void start_member_add(origin, urls, bool learner, detail::erased_handler<member_add_response>);
    DYNCONF_API static void start_member_remove(origin, std::uint64_t, detail::erased_handler<member_list_response>);
    DYNCONF_API static void start_member_promote(origin, std::uint64_t, detail::erased_handler<member_list_response>);
    DYNCONF_API static void start_member_update(origin, std::uint64_t, urls, detail::erased_handler<member_list_response>);
};

}  // namespace dynconf
