#include <dynconf/cluster.hpp>

#include "etcd/start_call.hpp"
#include "wire/requests.hpp"

#include <string_view>
#include <utility>

namespace dynconf {

using etcd::cancels;
using policy::safety;

namespace {

template <class Response>
void start_change(const detail::call_origin& from, std::string_view name, std::string_view path, std::string body,
                  detail::erased_handler<Response> h) {
    etcd::start_call(from, {name, path, safety::at_most_once}, std::move(body), cancels::terminal_only, std::move(h));
}

}  // namespace

cluster::cluster(const client& c) : facet(c) {}

void cluster::start_member_list(origin from, member_list_options options, detail::erased_handler<member_list_response> h) {
    etcd::call what{"member list", "/v3/cluster/member/list"};
    what.needs_leader = options.linearizable;
    etcd::start_call(from, what, wire::member_list_request(options.linearizable), cancels::total, std::move(h));
}

void cluster::start_member_add(origin from, urls peer_urls, bool learner, detail::erased_handler<member_add_response> h) {
    start_change(from, "member add", "/v3/cluster/member/add", wire::member_add_request(peer_urls, learner), std::move(h));
}

void cluster::start_member_remove(origin from, std::uint64_t id, detail::erased_handler<member_list_response> h) {
    start_change(from, "member remove", "/v3/cluster/member/remove", wire::member_id_request(id), std::move(h));
}

void cluster::start_member_promote(origin from, std::uint64_t id, detail::erased_handler<member_list_response> h) {
    start_change(from, "member promote", "/v3/cluster/member/promote", wire::member_id_request(id), std::move(h));
}

void cluster::start_member_update(origin from, std::uint64_t id, urls peer_urls, detail::erased_handler<member_list_response> h) {
    start_change(from, "member update", "/v3/cluster/member/update", wire::member_update_request(id, peer_urls), std::move(h));
}

}  // namespace dynconf
