/* SPDX-License-Identifier: Apache-2.0 */
/* MediaWriterNode and MediaReaderNode: what was written is read back. */
#ifndef RM_TEST_FFMPEG
#include <stdio.h>

int main(void) {
    puts("skipped: plugins/rm_ffmpeg.so was not built, for FFmpeg's libraries are missing (scripts/bootstrap.sh)");
    return 77;
}
#else
#include "ffmpeg_testkit.h"

#include <sys/stat.h>

#define NEAR_MS 2 /* containers round times */

static void assert_near(int64_t us, int64_t expected_us, int64_t off_ms) {
    if (llabs(us - expected_us) > off_ms * 1000)
        fail_msg("%lld us, expected %lld", (long long)us, (long long)expected_us);
}

static void check_sound(const struct seen *seen, int ms) {
    assert_int_equal(seen->rate, RATE);
    assert_int_equal(seen->channels, 1);
    assert_int_equal(seen->chunk, CHUNK);
    assert_in_range(seen->audio, ms / 10, ms / 10 + 6); /* encoders fill up their last packet */
    for (int i = 1; i < seen->audio; i++)
        assert_int_equal(seen->audio_us[i] - seen->audio_us[i - 1], 10000);
    /* a window in the middle, clear of the encoder's start and end */
    assert_true(tone_share(seen->sound + 4800, (size_t)(ms - 300) * 48, TONE_HZ, RATE) > 0.98);
}

static void check_pictures(const struct seen *seen, int count, double min_db) {
    assert_int_equal(seen->video, count);
    assert_int_equal(seen->width, WIDTH);
    assert_int_equal(seen->height, HEIGHT);
    if (seen->psnr_min < min_db)
        fail_msg("PSNR %.1f dB, expected %.0f", seen->psnr_min, min_db);
    for (int i = 0; i < count; i++)
        assert_near(seen->video_us[i], (int64_t)i * US / FPS + seen->video_us[0], NEAR_MS);
}

static void test_what_is_written_is_read_back(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool sound, video;
        double db;
    } rows[] = {{"a.mkv", true, true, 30},  {"a.mp4", true, true, 30}, {"a.mov", true, true, 30},
                {"a.webm", true, true, 30}, {"a.wav", true, false, 0}, {"a.y4m", false, true, 99}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct seen *written = new_seen();
        write_media(in_folder(rows[i].name), "\"video_bitrate\": 1500000", 2000, rows[i].sound ? 0 : -1,
                    rows[i].video ? 0 : -1, written);
        assert_string_equal(written->detail, "");
        assert_int_equal(written->audio, rows[i].sound ? 200 : 0); /* passed on */
        assert_int_equal(written->video, rows[i].video ? 60 : 0);
        free_seen(written);
        struct seen *seen = read_media(in_folder(rows[i].name), "");
        assert_string_equal(seen->detail, "");
        if (rows[i].sound)
            check_sound(seen, 2000);
        if (rows[i].video)
            check_pictures(seen, 60, rows[i].db);
        if (rows[i].sound && rows[i].video)
            assert_near(seen->audio_us[0], seen->video_us[0], 10);
        free_seen(seen);
    }
}

static void test_what_a_container_does_not_hold_is_told_once(void **state) {
    (void)state;
    struct seen *seen = new_seen();
    write_media(in_folder("b.wav"), "", 500, 0, 0, seen);
    assert_int_equal(seen->err, RM_E_UNSUPPORTED);
    assert_non_null(strstr(seen->detail, "b.wav holds no pictures; use .mkv"));
    assert_int_equal(seen->audio, 50);
    assert_int_equal(seen->video, 14); /* all but the one that was refused */
    free_seen(seen);
    seen = read_media(in_folder("b.wav"), "");
    check_sound(seen, 500);
    free_seen(seen);
}

/* Either may begin later; distances of times are kept. */
static void test_late_starters(void **state) {
    (void)state;
    static const int from_ms[][2] = {{0, 700}, {700, 0}};
    for (int i = 0; i < 2; i++) {
        struct seen *seen = new_seen();
        write_media(in_folder("late.mkv"), "", 1500, from_ms[i][0], from_ms[i][1], seen);
        assert_string_equal(seen->detail, "");
        free_seen(seen);
        seen = read_media(in_folder("late.mkv"), "");
        assert_in_range(seen->video, from_ms[i][1] ? 24 : 45, from_ms[i][1] ? 25 : 46);
        assert_near(seen->video_us[0] - seen->audio_us[0], (from_ms[i][1] - from_ms[i][0]) * 1000, 10);
        assert_int_equal(seen->audio_us[0] < seen->video_us[0] ? seen->audio_us[0] : seen->video_us[0], 0);
        free_seen(seen);
    }
    struct seen *seen = new_seen(); /* later than the header waits */
    write_media(in_folder("late.mkv"), "\"wait_ms\": 200", 600, 0, 500, seen);
    assert_int_equal(seen->err, RM_E_UNSUPPORTED);
    assert_non_null(strstr(seen->detail, "raise wait_ms"));
    free_seen(seen);
}

static void write_gap(const char *path, struct seen *seen) {
    char params[256];
    snprintf(params, sizeof params, "\"path\": \"%s\"", path);
    rm_stream_session *session = open_node("MediaWriterNode", params, seen);
    for (int i = 0; i < 100; i++) /* 0 to 500 ms, then 2500 to 3000 ms */
        send_data(session, make_sound((uint64_t)i, (i < 50 ? i : i + 200) * 10000));
    end_session(&session, seen);
    assert_string_equal(seen->detail, "");
}

static double loudness(const struct seen *seen, int from_ms, int to_ms) {
    double sum = 0;
    for (int i = from_ms * 48; i < to_ms * 48; i++)
        sum += fabs((double)seen->sound[i]);
    return sum / ((to_ms - from_ms) * 48);
}

static void test_gaps_in_the_sound_are_kept(void **state) {
    (void)state;
    static const char *const names[] = {"gap.mkv", "gap.mp4", "gap.wav"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct seen *seen = new_seen();
        write_gap(in_folder(names[i]), seen);
        free_seen(seen);
        seen = read_media(in_folder(names[i]), "");
        assert_in_range(seen->audio, 300, 306);
        assert_true(loudness(seen, 100, 400) > 0.2);
        assert_true(loudness(seen, 600, 2400) < 0.001);
        assert_true(loudness(seen, 2600, 2900) > 0.2);
        free_seen(seen);
    }
}

/* The stream begins again in mid-file: it goes on where it was. */
static void test_times_that_go_back(void **state) {
    (void)state;
    struct seen *seen = new_seen();
    char params[256];
    snprintf(params, sizeof params, "\"path\": \"%s\"", in_folder("back.mkv"));
    rm_stream_session *session = open_node("MediaWriterNode", params, seen);
    for (int i = 0; i < 300; i++)
        send_data(session, make_sound((uint64_t)i, (5 * US + i * 10000) % (6500 * 1000)));
    for (int i = 0; i < 90; i++)
        send_data(session, make_picture(WIDTH, HEIGHT, (uint64_t)i, (5 * US + (int64_t)i * US / FPS) % (6500 * 1000)));
    end_session(&session, seen);
    assert_string_equal(seen->detail, "");
    free_seen(seen);
    seen = read_media(in_folder("back.mkv"), "");
    check_sound(seen, 3000);
    check_pictures(seen, 90, 30);
    free_seen(seen);
}

static void test_a_new_size_is_scaled_to_the_first(void **state) {
    (void)state;
    struct seen *seen = new_seen();
    char params[256];
    snprintf(params, sizeof params, "\"path\": \"%s\", \"video_bitrate\": 1500000", in_folder("size.mkv"));
    rm_stream_session *session = open_node("MediaWriterNode", params, seen);
    for (int i = 0; i < 60; i++)
        send_data(session, make_picture(i < 30 ? WIDTH : 2 * WIDTH, i < 30 ? HEIGHT : 2 * HEIGHT, (uint64_t)i,
                                        (int64_t)i * US / FPS));
    end_session(&session, seen);
    assert_string_equal(seen->detail, "");
    free_seen(seen);
    seen = read_media(in_folder("size.mkv"), "");
    check_pictures(seen, 60, 30);
    free_seen(seen);
}

static void test_the_reader_adapts(void **state) {
    (void)state;
    struct seen *seen = new_seen();
    write_media(in_folder("adapt.mkv"), "\"video_bitrate\": 1500000", 2000, 0, 0, seen);
    free_seen(seen);
    seen = read_media(in_folder("adapt.mkv"), "\"width\": 160, \"framerate\": 60, \"audio_rate\": 16000, "
                                              "\"audio_channels\": 2, \"audio_chunk_ms\": 20");
    assert_string_equal(seen->detail, "");
    assert_int_equal(seen->width, 160);
    assert_int_equal(seen->height, 120);
    assert_in_range(seen->video, 118, 121);
    for (int i = 1; i < seen->video; i++)
        assert_near(seen->video_us[i] - seen->video_us[i - 1], US / 60, 1);
    assert_int_equal(seen->rate, 16000);
    assert_int_equal(seen->channels, 2);
    assert_int_equal(seen->chunk, 320);
    assert_in_range(seen->audio, 100, 103);
    assert_true(tone_share(seen->sound + 1600, 1700 * 16, TONE_HZ, 16000) > 0.98);
    free_seen(seen);
    seen = read_media(in_folder("adapt.mkv"), "\"start_ms\": 1200, \"framerate\": 10");
    assert_in_range(seen->audio, 79, 86);
    assert_in_range(seen->video, 8, 9);
    assert_int_equal(seen->audio_us[0] < seen->video_us[0] ? seen->audio_us[0] : seen->video_us[0], 0);
    assert_near(seen->audio_us[0], seen->video_us[0], 20);
    free_seen(seen);
}

static void test_a_loop_goes_on_in_time(void **state) {
    (void)state;
    static const char *const names[] = {"loop.mkv", "loop.mp4"};
    for (size_t n = 0; n < 2; n++) {
        struct seen *seen = new_seen();
        write_media(in_folder(names[n]), "", 1000, 0, 0, seen);
        free_seen(seen);
        char params[256];
        snprintf(params, sizeof params, "\"path\": \"%s\", \"pace\": false, \"loop\": true", in_folder(names[n]));
        seen = new_seen();
        seen->stop_after = 3 * 130;
        rm_stream_session *session = open_node("MediaReaderNode", params, seen);
        send_data(session, make_sound(0, 0));
        end_session(&session, seen);
        assert_in_range(seen->video, 88, 92);
        for (int i = 1; i < seen->audio; i++)
            assert_in_range(seen->audio_us[i] - seen->audio_us[i - 1], 10000, 25000);
        for (int i = 1; i < seen->video; i++)
            assert_in_range(seen->video_us[i] - seen->video_us[i - 1], 30000, 50000);
        assert_near(seen->video_us[seen->video - 1], 2950000, 150);
        free_seen(seen);
    }
}

static void test_real_time(void **state) {
    (void)state;
    struct seen *seen = new_seen();
    write_media(in_folder("pace.mkv"), "", 500, 0, 0, seen);
    free_seen(seen);
    char params[256];
    snprintf(params, sizeof params, "\"path\": \"%s\"", in_folder("pace.mkv"));
    seen = new_seen();
    rm_stream_session *session = open_node("MediaReaderNode", params, seen);
    int64_t begin = now_ms();
    send_data(session, make_sound(0, 0));
    end_session(&session, seen);
    assert_in_range(now_ms() - begin, 450, 5000);
    assert_in_range(seen->audio, 50, 56);
    free_seen(seen);
}

/* Closing ends it soon: while it waits for the next frame's time, and while it reads as fast as it can. */
static void test_closing_in_mid_read(void **state) {
    (void)state;
    static const char *const paces[] = {"true", "false"};
    struct seen *seen = new_seen();
    write_media(in_folder("cancel.mkv"), "", 1000, 0, 0, seen);
    free_seen(seen);
    for (int i = 0; i < 2; i++) {
        char params[256];
        snprintf(params, sizeof params, "\"path\": \"%s\", \"loop\": true, \"pace\": %s", in_folder("cancel.mkv"),
                 paces[i]);
        seen = new_seen();
        seen->stop_after = 20;
        rm_stream_session *session = open_node("MediaReaderNode", params, seen);
        send_data(session, make_sound(0, 0));
        assert_int_equal(sem_wait(&seen->done), 0);
        int64_t begin = now_ms();
        rm_stream_session_destroy(&session);
        assert_in_range(now_ms() - begin, 0, 100);
        assert_string_equal(seen->detail, "");
        free_seen(seen);
    }
}

/* A session that is closed without an end of its input leaves a whole file too. */
static void test_closing_completes_the_file(void **state) {
    (void)state;
    struct seen *seen = new_seen();
    char params[256];
    snprintf(params, sizeof params, "\"path\": \"%s\"", in_folder("{session}.mp4"));
    rm_stream_session *session = open_node("MediaWriterNode", params, seen);
    char name[64];
    snprintf(name, sizeof name, "%s.mp4", rm_stream_session_id(session));
    seen->stop_after = 100;
    for (int i = 0; i < 100; i++)
        send_data(session, make_sound((uint64_t)i, i * 10000));
    assert_int_equal(sem_wait(&seen->done), 0);
    rm_stream_session_destroy(&session);
    free_seen(seen);
    seen = read_media(in_folder(name), "");
    assert_string_equal(seen->detail, "");
    assert_in_range(seen->audio, 99, 106);
    free_seen(seen);
}

static void test_inputs_of_the_reader(void **state) {
    (void)state;
    struct seen *seen = new_seen();
    write_media(in_folder("in.mkv"), "", 300, 0, -1, seen);
    free_seen(seen);

    seen = new_seen();
    rm_stream_session *session = open_node("MediaReaderNode", "\"pace\": false", seen);
    const char *path = in_folder("in.mkv");
    rm_runtime_data *data = NULL;
    assert_int_equal(rm_runtime_data_create_text(path, strlen(path), NULL, &data), RM_OK);
    send_data(session, data);
    rm_file file = {.path = path, .size = RM_NO_VALUE, .offset = RM_NO_VALUE, .length = RM_NO_VALUE};
    assert_int_equal(rm_runtime_data_create_file(&file, &data), RM_OK);
    send_data(session, data);
    end_session(&session, seen);
    assert_string_equal(seen->detail, "");
    assert_in_range(seen->audio, 2 * 30, 2 * 35);
    free_seen(seen);

    seen = new_seen();
    session = open_node("MediaReaderNode", "\"pace\": false", seen);
    send_data(session, make_sound(0, 0));
    end_session(&session, seen);
    assert_int_equal(seen->err, RM_E_CONFIG);
    assert_non_null(strstr(seen->detail, "set the parameter path"));
    free_seen(seen);
}

static void test_a_part_of_a_file(void **state) {
    (void)state;
    struct seen *seen = new_seen();
    struct stat st;
    char buffer[65536];
    write_media(in_folder("part.wav"), "", 300, 0, -1, seen);
    free_seen(seen);
    assert_int_equal(stat(in_folder("part.wav"), &st), 0);
    FILE *from = fopen(in_folder("part.wav"), "rb"), *to = fopen(in_folder("whole.bin"), "wb");
    memset(buffer, 'x', 1000);
    fwrite(buffer, 1, 1000, to);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, from)) > 0;)
        fwrite(buffer, 1, n, to);
    memset(buffer, 'x', 1000);
    fwrite(buffer, 1, 1000, to);
    fclose(from);
    fclose(to);
    seen = new_seen();
    rm_stream_session *session = open_node("MediaReaderNode", "\"pace\": false", seen);
    rm_file file = {.path = in_folder("whole.bin"), .size = RM_NO_VALUE, .offset = 1000, .length = st.st_size};
    rm_runtime_data *data = NULL;
    assert_int_equal(rm_runtime_data_create_file(&file, &data), RM_OK);
    send_data(session, data);
    end_session(&session, seen);
    assert_string_equal(seen->detail, "");
    assert_int_equal(seen->audio, 30);
    free_seen(seen);
}

static void put_file(const char *name, const char *from, size_t max) {
    FILE *out = fopen(in_folder(name), "wb");
    assert_non_null(out);
    if (!from) {
        fputs("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nin.ts\n", out);
    } else {
        FILE *in = fopen(in_folder(from), "rb");
        assert_non_null(in);
        int c;
        for (size_t i = 0; i < max && (c = fgetc(in)) != EOF; i++)
            fputc(c, out);
        fclose(in);
    }
    fclose(out);
}

static void test_files_that_cannot_be_read(void **state) {
    (void)state;
    struct seen *seen = new_seen();
    write_media(in_folder("whole.mp4"), "", 1000, 0, 0, seen);
    free_seen(seen);
    put_file("half.mp4", "whole.mp4", 20000);
    put_file("list.m3u8", NULL, 0);
    put_file("empty.mkv", "whole.mp4", 0);
    static const struct {
        const char *name, *text;
        rm_err err;
    } rows[] = {{"missing.mkv", "missing.mkv: No such file or directory; check the path", RM_E_IO},
                {"", "it is not a regular file", RM_E_IO},
                {"half.mp4", "is it a media file, and whole?", RM_E_PARSE},
                {"list.m3u8", "is it a media file, and whole?", RM_E_PARSE},
                {"empty.mkv", "is it a media file, and whole?", RM_E_PARSE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        seen = read_media(in_folder(rows[i].name), "");
        assert_int_equal(seen->err, rows[i].err);
        if (!strstr(seen->detail, rows[i].text))
            fail_msg("%s: %s", rows[i].name, seen->detail);
        assert_int_equal(seen->outputs, 0);
        free_seen(seen);
    }
    seen = read_media(in_folder("whole.mp4"), "\"start_ms\": 60000");
    assert_int_equal(seen->err, RM_E_CONFIG);
    assert_non_null(strstr(seen->detail, "choose an earlier start"));
    free_seen(seen);
}

/* A container that can be read as far as it goes: what is there comes out. At any length nothing worse happens. */
static void test_a_file_that_was_cut_short(void **state) {
    (void)state;
    struct seen *seen = new_seen();
    struct stat st;
    write_media(in_folder("whole.mkv"), "\"video_bitrate\": 800000", 2000, 0, 0, seen);
    free_seen(seen);
    assert_int_equal(stat(in_folder("whole.mkv"), &st), 0);
    put_file("half.mkv", "whole.mkv", (size_t)st.st_size / 2);
    seen = read_media(in_folder("half.mkv"), "");
    assert_in_range(seen->video, 10, 50);
    assert_in_range(seen->audio, 30, 170);
    free_seen(seen);
    for (off_t cut = 0; cut < st.st_size; cut += st.st_size / 40) {
        put_file("cut.mkv", "whole.mkv", (size_t)cut);
        seen = read_media(in_folder("cut.mkv"), "");
        assert_true(seen->err || seen->outputs > 0);
        free_seen(seen);
    }
}

static void test_files_that_cannot_be_written(void **state) {
    (void)state;
    static const struct {
        const char *path, *text;
        rm_err err;
    } rows[] = {{"/nonexistent/x.mkv", "check that the folder exists", RM_E_IO},
                {"/tmp/x.txt", "the name must end in .mkv", RM_E_CONFIG}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct seen *seen = new_seen();
        char params[256];
        snprintf(params, sizeof params, "\"path\": \"%s\"", rows[i].path);
        assert_null(open_node("MediaWriterNode", params, seen));
        assert_int_equal(seen->err, rows[i].err);
        assert_non_null(strstr(seen->detail, rows[i].text));
        free_seen(seen);
    }
    struct seen *seen = new_seen(); /* the disk is full: told once, media goes on */
    assert_int_equal(symlink("/dev/full", in_folder("full.mkv")), 0);
    write_media(in_folder("full.mkv"), "", 12000, 0, 0, seen); /* a cluster is written after 5 s */
    assert_int_equal(seen->err, RM_E_IO);
    assert_non_null(strstr(seen->detail, "No space left on device"));
    assert_int_equal(seen->outputs, 1200 + 360 - 1);
    free_seen(seen);
    seen = new_seen();
    write_media(in_folder("nothing.mkv"), "", 0, 0, 0, seen);
    assert_int_equal(seen->err, RM_E_NOT_FOUND);
    assert_non_null(strstr(seen->detail, "neither sound nor pictures came"));
    assert_int_equal(access(in_folder("nothing.mkv"), F_OK), -1);
    free_seen(seen);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read_back),
        cmocka_unit_test(test_what_a_container_does_not_hold_is_told_once),
        cmocka_unit_test(test_late_starters),
        cmocka_unit_test(test_gaps_in_the_sound_are_kept),
        cmocka_unit_test(test_times_that_go_back),
        cmocka_unit_test(test_a_new_size_is_scaled_to_the_first),
        cmocka_unit_test(test_the_reader_adapts),
        cmocka_unit_test(test_a_loop_goes_on_in_time),
        cmocka_unit_test(test_real_time),
        cmocka_unit_test(test_closing_in_mid_read),
        cmocka_unit_test(test_closing_completes_the_file),
        cmocka_unit_test(test_inputs_of_the_reader),
        cmocka_unit_test(test_a_part_of_a_file),
        cmocka_unit_test(test_files_that_cannot_be_read),
        cmocka_unit_test(test_a_file_that_was_cut_short),
        cmocka_unit_test(test_files_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, open_plugin, close_plugin);
}
#endif
