#include "wire/json_object.hpp"
#include "wire/requests.hpp"

namespace dynconf::wire {

std::string compaction_request(revision_t revision, bool physical) {
    return object_with([&](json_object& body) {
        body.number_unless_zero("revision", revision);
        body.flag("physical", physical);
    });
}

std::string hash_kv_request(revision_t revision) {
    return object_with([&](json_object& body) { body.number_unless_zero("revision", revision); });
}

std::string alarm_list_request() { return R"({"action":"GET"})"; }

std::string alarm_disarm_request(std::uint64_t member_id, std::string_view type) {
    return object_with([&](json_object& body) {
        body.word("action", "DEACTIVATE");
        body.number_unless_zero("memberID", member_id);
        body.word("alarm", type);
    });
}

std::string move_leader_request(std::uint64_t target_id) {
    return object_with([&](json_object& body) { body.number("targetID", target_id); });
}

std::string downgrade_request(std::string_view action, std::string_view version) {
    return object_with([&](json_object& body) {
        body.word("action", action);
        if (!version.empty()) body.text("version", version);
    });
}

std::string member_list_request(bool linearizable) {
    return object_with([&](json_object& body) { body.flag("linearizable", linearizable); });
}

std::string member_add_request(const std::vector<std::string>& peer_urls, bool learner) {
    return object_with([&](json_object& body) {
        body.texts("peerURLs", peer_urls);
        body.flag("isLearner", learner);
    });
}

std::string member_update_request(std::uint64_t id, const std::vector<std::string>& peer_urls) {
    return object_with([&](json_object& body) {
        body.number("ID", id);
        body.texts("peerURLs", peer_urls);
    });
}

std::string member_id_request(std::uint64_t id) {
    return object_with([&](json_object& body) { body.number("ID", id); });
}

}  // namespace dynconf::wire
