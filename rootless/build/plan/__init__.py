"""What a build will do, as data: stages of steps, made of instructions, build arguments and the bases' configurations.

Pure, as `rootless.build.dockerfile` is. `graph.make_graph()` says which stages the target needs and which
images they start from; `stage.plan_stage()` plans one stage whose base is known.
"""
