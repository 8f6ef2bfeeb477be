#include "wire/json_object.hpp"
#include "wire/requests.hpp"

namespace dynconf::wire {

std::string compaction_request(revision_t revision, bool physical) {
    std::string out;
    json_object body(out);
    body.number_unless_zero("revision", revision);
    body.flag("physical", physical);
    body.close();
    return out;
}

std::string hash_kv_request(revision_t revision) {
    std::string out;
    json_object body(out);
    body.number_unless_zero("revision", revision);
    body.close();
    return out;
}

std::string alarm_list_request() { return R"({"action":"GET"})"; }

std::string alarm_disarm_request(std::uint64_t member_id, std::string_view type) {
    std::string out;
    json_object body(out);
    body.word("action", "DEACTIVATE");
    body.number_unless_zero("memberID", member_id);
    body.word("alarm", type);
    body.close();
    return out;
}

std::string move_leader_request(std::uint64_t target_id) {
    std::string out;
    json_object body(out);
    body.number("targetID", target_id);
    body.close();
    return out;
}

std::string downgrade_request(std::string_view action, std::string_view version) {
    std::string out;
    json_object body(out);
    body.word("action", action);
    if (!version.empty()) body.text("version", version);
    body.close();
    return out;
}

std::string member_list_request(bool linearizable) {
    std::string out;
    json_object body(out);
    body.flag("linearizable", linearizable);
    body.close();
    return out;
}

std::string member_add_request(const std::vector<std::string>& peer_urls, bool learner) {
    std::string out;
    json_object body(out);
    body.texts("peerURLs", peer_urls);
    body.flag("isLearner", learner);
    body.close();
    return out;
}

std::string member_update_request(std::uint64_t id, const std::vector<std::string>& peer_urls) {
    std::string out;
    json_object body(out);
    body.number("ID", id);
    body.texts("peerURLs", peer_urls);
    body.close();
    return out;
}

std::string member_id_request(std::uint64_t id) {
    std::string out;
    json_object body(out);
    body.number("ID", id);
    body.close();
    return out;
}

}  // namespace dynconf::wire
