#include "testing/fake_etcd_impl.hpp"

namespace dynconf::testing {

void fake_etcd::set_link(const link_faults& faults, std::size_t member) {
    impl_->each(member, [&](impl::one& m) { impl_->set_link(m, faults); });
}

void fake_etcd::cut_connections(bool reset, std::size_t member) {
    impl_->each(member, [&](impl::one& m) { m.server->cut_connections(reset); });
}

void fake_etcd::break_exchanges(std::string path, const exchange_fault& how, std::size_t count, std::size_t member) {
    impl_->in_place([&] {
        for (std::size_t i = 0; i < impl_->members.size(); ++i)
            if (member == every_member || member == i) impl_->breakages[i].push_back({path, how, count});
    });
}

void fake_etcd::refuse(const fake_refusal& what, std::size_t member) {
    const refusal why(what.status, what.words);
    fault::rule rule{fault::refuse{why}, what.path, 1, what.skip, what.count};
    if (what.executed) rule.what = fault::refuse_after_commit{why};
    impl_->add(rule, member);
}

void fake_etcd::answer(const fake_answer& what, std::size_t member) {
    fault::answer any;
    any.what = {.status = what.status, .content_type = what.content_type, .body = what.body};
    impl_->add({any, what.path, 1, what.skip, what.count}, member);
}

void fake_etcd::lose_requests(std::string path, std::size_t count, std::size_t member) {
    impl_->add({fault::lose_request{}, std::move(path), 1, 0, count}, member);
}
void fake_etcd::lose_answers(std::string path, std::size_t count, std::size_t member) {
    impl_->add({fault::lose_answer{}, std::move(path), 1, 0, count}, member);
}

void fake_etcd::stop(std::size_t member) {
    impl_->each(member, [&](impl::one& m) {
        m.stopped = true;
        impl_->set_link(m, m.server->faults());
        m.server->cut_connections(true);
    });
    impl_->in_place([&] { impl_->see_who_leads(); });
}

void fake_etcd::start(std::size_t member) {
    impl_->each(member, [&](impl::one& m) {
        link_faults f = m.server->faults();
        f.refuse = false;
        if (std::exchange(m.stopped, false)) m.gateway->forget_tokens();
        impl_->set_link(m, f);
    });
    impl_->in_place([&] { impl_->see_who_leads(); });
}

void fake_etcd::pause(bool paused, std::size_t member) {
    impl_->each(member, [&](impl::one& m) { m.paused = paused; });
    impl_->in_place([&] { impl_->see_who_leads(); });
}

void fake_etcd::isolate(std::size_t member) {
    impl_->each(member, [](impl::one& m) {
        m.isolated = true;
        m.gateway->isolate();
    });
    impl_->in_place([&] { impl_->see_who_leads(); });
}
void fake_etcd::reconnect(std::size_t member) {
    impl_->each(member, [](impl::one& m) {
        m.isolated = false;
        m.gateway->reconnect();
    });
    impl_->in_place([&] { impl_->see_who_leads(); });
}
void fake_etcd::hold_back(std::size_t member) {
    impl_->each(member, [](impl::one& m) { m.gateway->hold_back(); });
}
void fake_etcd::catch_up(std::size_t member) {
    impl_->each(member, [](impl::one& m) { m.gateway->catch_up(); });
}
void fake_etcd::freeze_progress(bool frozen, std::size_t member) {
    impl_->each(member, [frozen](impl::one& m) { m.gateway->freeze_progress(frozen); });
}
void fake_etcd::drop_events(std::size_t messages, std::size_t member) {
    impl_->add({fault::drop_events{}, "/v3/watch", 1, 0, messages}, member);
}
void fake_etcd::double_events(std::size_t messages, std::size_t member) {
    impl_->add({fault::double_events{}, "/v3/watch", 1, 0, messages}, member);
}
void fake_etcd::end_streams(std::size_t member) {
    impl_->each(member, [](impl::one& m) { m.gateway->end_streams(); });
}
void fake_etcd::fail_streams(grpc_errc status, std::string words, std::size_t member) {
    const refusal why(status, std::move(words));
    impl_->each(member, [&why](impl::one& m) { m.gateway->end_streams(why); });
}

void fake_etcd::lose_leader() {
    impl_->in_place([&] {
        impl_->electing.reset();
        impl_->leaderless = true;
        impl_->etcd->lose_leader();
        impl_->voters.set_leaderless();
        impl_->see_who_leads();
    });
}

void fake_etcd::elect(std::size_t member) {
    impl_->in_place([&] { impl_->lead(member); });
}

void fake_etcd::heal() {
    impl_->in_place([&] {
        impl_->breakages.clear();
        for (impl::one& m : impl_->members) {
            m.stopped = m.paused = m.isolated = false;
            impl_->set_link(m, {});
            m.gateway->faults().clear();
            m.gateway->reconnect();
            m.gateway->catch_up();
            m.gateway->freeze_progress(false);
        }
        impl_->leaderless = false;
        impl_->see_who_leads();
        if (impl_->voters.lacks_leader()) impl_->lead(0);
    });
}

}  // namespace dynconf::testing
