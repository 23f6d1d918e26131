"""What a vendor's own receiver looks like: Flask and PyJWT, under gunicorn. Verifies, and stores nothing."""

import os

import flask
import jwt

app = flask.Flask(__name__)


@app.post("/connect")
def hook():
    scheme, _, token = flask.request.headers.get("Authentication", "").partition(" ")
    try:
        jwt.decode(token, os.environ["SECRET"], algorithms=["HS256"])
    except jwt.InvalidTokenError:
        return {"status": "refused"}, 401
    return {"status": "done"}
