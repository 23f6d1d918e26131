/* test_pool.c - threads that work, and a queue that ends. */
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "web/pool.h"

#define THREADS    4
#define CALLERS    8
#define TIME_LIMIT 60 /* s: a pool that hangs fails the test */

/* What the pieces of work report to. */
struct shop {
    sem_t begun, gate;
    atomic_int done;
    pthread_mutex_t lock; /* guards the order */
    int order[POOL_QUEUE_MAX];
    int count;
    struct pool *pool;
};

static int set_up(void **state)
{
    static struct shop shop;
    shop = (struct shop){.count = 0};
    sem_init(&shop.begun, 0, 0);
    sem_init(&shop.gate, 0, 0);
    pthread_mutex_init(&shop.lock, NULL);
    *state = &shop;
    return 0;
}

static int tear_down(void **state)
{
    struct shop *s = *state;
    pthread_mutex_destroy(&s->lock);
    sem_destroy(&s->gate);
    sem_destroy(&s->begun);
    return 0;
}

static void open_pool(struct shop *s, int threads)
{
    struct why why;
    assert_err(pool_new(threads, NULL, &s->pool, &why), ERR_OK);
}

/* Works until the gate is opened for it. */
static void wait_at_gate(void *work)
{
    struct shop *s = work;
    sem_post(&s->begun);
    sem_wait(&s->gate);
    atomic_fetch_add(&s->done, 1);
}

static void work_at_once(void *work)
{
    struct shop *s = work;
    atomic_fetch_add(&s->done, 1);
}

static void refuses_more_than_its_queue_holds(void **state)
{
    struct shop *s = *state;
    open_pool(s, 1);
    assert_err(pool_run(s->pool, NULL, wait_at_gate, s), ERR_OK);
    sem_wait(&s->begun); /* it left the queue */
    for (int i = 0; i < POOL_QUEUE_MAX; i++)
        assert_err(pool_run(s->pool, NULL, work_at_once, s), ERR_OK);
    for (int i = 0; i < 3; i++)
        assert_err(pool_run(s->pool, NULL, work_at_once, s), ERR_BUSY);
    assert_int_equal(atomic_load(&s->done), 0);
    sem_post(&s->gate);
    pool_free(s->pool);
    assert_int_equal(atomic_load(&s->done), 1 + POOL_QUEUE_MAX); /* and none that was refused */
}

static void takes_work_again_when_there_is_room(void **state)
{
    struct shop *s = *state;
    open_pool(s, 1);
    assert_err(pool_run(s->pool, NULL, wait_at_gate, s), ERR_OK);
    sem_wait(&s->begun);
    for (int i = 0; i < POOL_QUEUE_MAX; i++)
        assert_err(pool_run(s->pool, NULL, wait_at_gate, s), ERR_OK);
    assert_err(pool_run(s->pool, NULL, work_at_once, s), ERR_BUSY);
    sem_post(&s->gate);
    sem_wait(&s->begun); /* the next one left the queue */
    assert_err(pool_run(s->pool, NULL, work_at_once, s), ERR_OK);
    assert_err(pool_run(s->pool, NULL, work_at_once, s), ERR_BUSY);
    for (int i = 0; i < POOL_QUEUE_MAX; i++)
        sem_post(&s->gate);
    pool_free(s->pool);
    assert_int_equal(atomic_load(&s->done), POOL_QUEUE_MAX + 2);
}

static void frees_what_is_none_and_what_never_worked(void **state)
{
    struct shop *s = *state;
    pool_free(NULL);
    open_pool(s, THREADS);
    pool_free(s->pool);
}

static void works_on_as_many_as_it_has_threads(void **state)
{
    struct shop *s = *state;
    open_pool(s, THREADS);
    for (int i = 0; i < 2 * THREADS; i++)
        assert_err(pool_run(s->pool, NULL, wait_at_gate, s), ERR_OK);
    for (int i = 0; i < THREADS; i++)
        sem_wait(&s->begun); /* all of these are at work at the same time */
    assert_int_not_equal(sem_trywait(&s->begun), 0);
    for (int i = 0; i < 2 * THREADS; i++)
        sem_post(&s->gate);
    pool_free(s->pool);
    assert_int_equal(atomic_load(&s->done), 2 * THREADS);
}

/* A thread that has been woken, but has not got to its work yet, is no thread for the next piece.
 */
static void starts_a_thread_for_each_piece_that_comes_at_once(void **state)
{
    struct shop *s = *state;
    for (int round = 0; round < 200; round++) {
        open_pool(s, 2);
        assert_err(pool_run(s->pool, NULL, work_at_once, s), ERR_OK);
        while (atomic_load(&s->done) < 3 * round + 1)
            sched_yield();
        for (int i = 0; i < 2; i++)
            assert_err(pool_run(s->pool, NULL, wait_at_gate, s), ERR_OK);
        for (int i = 0; i < 2; i++)
            sem_wait(&s->begun); /* both are at work at the same time */
        for (int i = 0; i < 2; i++)
            sem_post(&s->gate);
        pool_free(s->pool);
    }
}

struct numbered {
    struct shop *shop;
    int number;
};

static void note_number(void *work)
{
    struct numbered *n = work;
    struct shop *s = n->shop;
    pthread_mutex_lock(&s->lock);
    s->order[s->count++] = n->number;
    pthread_mutex_unlock(&s->lock);
}

static void takes_the_oldest_first_however_often_the_ring_turns(void **state)
{
    struct shop *s = *state;
    static struct numbered work[POOL_QUEUE_MAX];
    const int pieces = POOL_QUEUE_MAX * 2 / 3; /* so that the ring's end is crossed */
    open_pool(s, 1);
    for (int round = 0; round < 3; round++) {
        s->count = 0;
        for (int i = 0; i < pieces; i++) {
            work[i] = (struct numbered){s, i};
            assert_err(pool_run(s->pool, NULL, note_number, &work[i]), ERR_OK);
        }
        assert_err(pool_run(s->pool, NULL, wait_at_gate, s), ERR_OK);
        sem_wait(&s->begun); /* the last: all before it are done */
        assert_int_equal(s->count, pieces);
        for (int i = 0; i < pieces; i++)
            assert_int_equal(s->order[i], i);
        sem_post(&s->gate);
    }
    pool_free(s->pool);
}

static void give_more_work(void *work)
{
    struct shop *s = work;
    if (atomic_fetch_add(&s->done, 1) < 9)
        assert_err(pool_run(s->pool, NULL, give_more_work, s), ERR_OK);
    else
        sem_post(&s->begun);
}

static void may_be_given_work_by_its_own_threads(void **state)
{
    struct shop *s = *state;
    open_pool(s, 1);
    assert_err(pool_run(s->pool, NULL, give_more_work, s), ERR_OK);
    sem_wait(&s->begun);
    pool_free(s->pool);
    assert_int_equal(atomic_load(&s->done), 10);
}

static void *call_often(void *arg)
{
    struct shop *s = arg;
    for (int i = 0; i < 1000; i++)
        while (pool_run(s->pool, NULL, work_at_once, s) == ERR_BUSY)
            sched_yield();
    return NULL;
}

static void loses_nothing_that_many_threads_give_it(void **state)
{
    struct shop *s = *state;
    pthread_t callers[CALLERS];
    open_pool(s, THREADS);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, call_often, s), 0);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    pool_free(s->pool);
    assert_int_equal(atomic_load(&s->done), CALLERS * 1000);
}

/* Half of what the others leave: 2 of 4, then 1 of the other 2, then the last. */
static void leaves_threads_for_the_next_one(void **state)
{
    struct shop *s = *state;
    static const char *const who[] = {"one", "two", "three"};
    open_pool(s, THREADS);
    for (int n = 0; n < 3; n++)
        for (int i = 0; i < THREADS; i++)
            assert_err(pool_run(s->pool, who[n], wait_at_gate, s), ERR_OK);
    for (int i = 0; i < THREADS; i++)
        sem_wait(&s->begun);
    assert_int_not_equal(sem_trywait(&s->begun), 0); /* they are all that can be */
    for (int i = 0; i < 3 * THREADS; i++)
        sem_post(&s->gate);
    pool_free(s->pool);
    assert_int_equal(atomic_load(&s->done), 3 * THREADS);
}

static void post_served(void *work)
{
    sem_post(work);
}

/* However much of one waits, another is served at once. */
static void is_not_held_up_by_one_that_hangs(void **state)
{
    struct shop *s = *state;
    sem_t served;
    sem_init(&served, 0, 0);
    open_pool(s, 2);
    for (int i = 0; i < 10; i++)
        assert_err(pool_run(s->pool, "hangs", wait_at_gate, s), ERR_OK);
    sem_wait(&s->begun);
    for (int i = 0; i < 10; i++)
        assert_err(pool_run(s->pool, "healthy", post_served, &served), ERR_OK);
    for (int i = 0; i < 10; i++)
        sem_wait(&served);
    assert_int_not_equal(sem_trywait(&s->begun), 0);
    for (int i = 0; i < 10; i++)
        sem_post(&s->gate);
    pool_free(s->pool);
    sem_destroy(&served);
}

/* The work is a semaphore's, which tells of it. */
static void turn_away(void *work)
{
    sem_post(work);
}

static void turns_away_what_waits_too_long(void **state)
{
    struct shop *s = *state;
    static const struct pool_patience patience = {20, turn_away};
    struct why why;
    sem_t late;
    sem_init(&late, 0, 0);
    assert_err(pool_new(2, &patience, &s->pool, &why), ERR_OK);
    assert_err(pool_run(s->pool, "hangs", wait_at_gate, s), ERR_OK);
    sem_wait(&s->begun);
    for (int i = 0; i < 3; i++) /* its share is taken */
        assert_err(pool_run(s->pool, "hangs", wait_at_gate, &late), ERR_OK);
    for (int i = 0; i < 3; i++)
        sem_wait(&late);
    assert_err(pool_run(s->pool, "other", wait_at_gate, s), ERR_OK);
    sem_wait(&s->begun);
    assert_err(pool_run(s->pool, "third", wait_at_gate, &late), ERR_OK); /* nobody is left */
    sem_wait(&late);
    for (int i = 0; i < 2; i++)
        sem_post(&s->gate);
    pool_free(s->pool);
    assert_int_equal(atomic_load(&s->done), 2);
    sem_destroy(&late);
}

static void leaves_room_in_its_queue_for_the_next_one(void **state)
{
    struct shop *s = *state;
    open_pool(s, 1);
    assert_err(pool_run(s->pool, "one", wait_at_gate, s), ERR_OK);
    sem_wait(&s->begun);
    for (int i = 0; i < POOL_QUEUE_MAX / 2; i++)
        assert_err(pool_run(s->pool, "one", work_at_once, s), ERR_OK);
    assert_err(pool_run(s->pool, "one", work_at_once, s), ERR_BUSY);
    for (int i = 0; i < POOL_QUEUE_MAX / 4; i++)
        assert_err(pool_run(s->pool, "two", work_at_once, s), ERR_OK);
    assert_err(pool_run(s->pool, "two", work_at_once, s), ERR_BUSY);
    assert_err(pool_run(s->pool, "three", work_at_once, s), ERR_OK);
    assert_err(pool_run(s->pool, NULL, work_at_once, s), ERR_OK);
    sem_post(&s->gate);
    pool_free(s->pool);
    assert_int_equal(atomic_load(&s->done), 1 + POOL_QUEUE_MAX * 3 / 4 + 2);
}

static void look_at_signals(void *work)
{
    struct shop *s = work;
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    if (sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGHUP))
        atomic_fetch_add(&s->done, 1);
}

static void leaves_signals_to_others_and_the_caller_s_mask_alone(void **state)
{
    struct shop *s = *state;
    sigset_t blocked;
    open_pool(s, 1);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGTERM));
    assert_err(pool_run(s->pool, NULL, look_at_signals, s), ERR_OK);
    pool_free(s->pool);
    assert_int_equal(atomic_load(&s->done), 1);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        test(refuses_more_than_its_queue_holds),
        test(takes_work_again_when_there_is_room),
        test(frees_what_is_none_and_what_never_worked),
        test(works_on_as_many_as_it_has_threads),
        test(starts_a_thread_for_each_piece_that_comes_at_once),
        test(takes_the_oldest_first_however_often_the_ring_turns),
        test(may_be_given_work_by_its_own_threads),
        test(loses_nothing_that_many_threads_give_it),
        test(leaves_threads_for_the_next_one),
        test(is_not_held_up_by_one_that_hangs),
        test(turns_away_what_waits_too_long),
        test(leaves_room_in_its_queue_for_the_next_one),
        test(leaves_signals_to_others_and_the_caller_s_mask_alone),
    };
    alarm(TIME_LIMIT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
