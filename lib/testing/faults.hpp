#pragma once

#include "testing/gateway_words.hpp"
#include "testing/refusal.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace dynconf::testing {

// What can go wrong between a request and its answer.
namespace fault {

/// Not executed.
struct refuse { refusal why; };
/// Executed, and refused all the same: an outcome that the client cannot know.
struct refuse_after_commit { refusal why; };
/// Not executed; any answer at all, as a proxy or a broken server might give it.
struct answer { reply what; };
/// Not executed, and never answered.
struct lose_request {};
/// Executed, and never answered.
struct lose_answer {};
/// Executed, and answered late.
struct slow { std::chrono::milliseconds by; };

/// An etcd that was told --enable-grpc-gateway=false; a rule of it goes to "/v3/".
inline answer gateway_switched_off() {
    answer a;
    a.what = {.status = 404, .content_type = "text/plain; charset=utf-8", .body = "404 page not found\n"};
    return a;
}

// What can go wrong with a message of a watch that carries events.
struct drop_events {};
struct double_events {};
/// In place of the events; without words the body just ends.
struct end_stream { std::optional<refusal> why; };

using action = std::variant<refuse, refuse_after_commit, answer, lose_request, lose_answer, slow, drop_events, double_events,
    end_stream>;

/// Of a message of a watch, not of a request.
inline bool is_of_events(const action& a) {
    return std::holds_alternative<drop_events>(a) || std::holds_alternative<double_events>(a) || std::holds_alternative<end_stream>(a);
}

struct rule {
    action what;
    std::string path;            ///< Of the request; a prefix when it ends in '/', all when empty.
    double probability = 1;      ///< Of each that is neither skipped nor beyond the count.
    std::size_t skip = 0;        ///< So many matching ones go well first.
    std::size_t count = std::numeric_limits<std::size_t>::max();   ///< It happens so often at most.
};

}  // namespace fault

/// What shall go wrong with the requests of one member. The first rule that strikes is taken.
class faults {
public:
    /// Uniform in [0, 1).
    using random_source = std::function<double()>;

    /// Without a source rules with a probability below 1 never strike.
    explicit faults(random_source random = {}) : random_(std::move(random)) {}
    void use(random_source random) { random_ = std::move(random); }

    void add(fault::rule rule) { rules_.push_back(std::move(rule)); }
    void clear() noexcept { rules_.clear(); }
    /// How often a rule struck.
    std::size_t struck() const noexcept { return struck_; }

    std::optional<fault::action> on_request(std::string_view path) { return next(path, false); }
    std::optional<fault::action> on_events(std::string_view path) { return next(path, true); }

private:
    std::optional<fault::action> next(std::string_view path, bool of_events);

    random_source random_;
    std::list<fault::rule> rules_;
    std::size_t struck_ = 0;
};

}  // namespace dynconf::testing
